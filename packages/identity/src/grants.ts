import { type EndNotice, userChannel } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { ACCESS_TOKEN_SECONDS, SESSION_OF_BROWSER_SECONDS } from './clients.ts'
import { type Adapter, type AdapterPayload, Provider } from './oidc-provider.ts'
import { type Fields, inJson, type RecordForm } from './record-form.ts'
import { createRecords, KEEP_SECONDS, REFRESH_TOKEN, recordKey } from './records.ts'
import type { Registrations } from './registrations.ts'
import { enter, noteEnd, prolong, take } from './scripts.ts'
import type { EndedSession } from './session-ends.ts'
import type { SessionMarks } from './session-marks.ts'
import { createUntold, type Untold } from './untold.ts'

/**
 * Sessions: each is a grant of the provider, and its id is the `sid` of every token.
 *
 * An application gets a grant of its own, which depends on the session that the person entered with: the
 * record names that session (`sessionUid`), and without the session the grant counts as gone. So an end of
 * the session ends all of them in one step. Whose it is stands in the record of the session alone. So what an
 * ended session leaves behind names nobody.
 */
export interface Grants {
  /** Key of a session's record. */
  at(sid: string): string
  /** oidc-provider's storage of grants. */
  adapter: Adapter
  /**
   * Extends a session when it gets a refresh token: to `seconds` from now, never to an earlier end, and never
   * past its latest end. `token` names the token's record. `waitSeconds` is set if the session got too many
   * tokens recently.
   */
  prolong(sid: string, seconds: number, token: string): Promise<{ isThere: boolean; waitSeconds?: number }>
  /**
   * Ends a session. Its page is told the notice, also by its next refresh. Resolves with whether this call
   * ended it.
   */
  destroy(sid: string, notice?: EndNotice): Promise<boolean>
  hasSession(sid: string): Promise<boolean>
  /** Whose session this is, or undefined if it is over. */
  ownerOf(sid: string): Promise<string | undefined>
  /**
   * Deletes the refresh token of a session, and the marks of those before it. The last ones stay for ten
   * minutes, as after any use.
   */
  eraseToken(sid: string): Promise<void>
  /** Has a grant live for so many seconds from now, if it is still there and would end earlier. */
  keep(id: string, seconds: number): Promise<void>
  /**
   * The record of a grant, or undefined if it is over or the session that it depends on is. If the caller
   * knows that session, both are read at once.
   */
  find(id: string, sessionUid?: string): Promise<AdapterPayload | undefined>
  /** Notes an application that has to be told of the session's end. Resolves with false if it is over. */
  enter(sid: string, clientId: string): Promise<boolean>
}

const MODEL = 'Grant'
/**
 * Most refresh tokens of one session in ten minutes. A page needs one. The record of each token is stored for
 * the same time.
 */
export const MOST_REFRESH_TOKENS = 60
/**
 * A session without a refresh token ends with its access token. Each refresh token prolongs it to that
 * token's life.
 */
const FIRST_SECONDS = ACCESS_TOKEN_SECONDS + 60
/** How long a page that was away is told why its session has ended, if there is more to say than that. */
const TELL_SECONDS = 24 * 60 * 60

/** Whether the present request is one to the token endpoint. */
const isRedeeming = (): boolean => Provider.ctx?.oidc.route === 'token'

/** The record of something that depends on a session, as it is stored: the session says whose it is. */
export const withoutPerson = ({ accountId: _, ...record }: AdapterPayload): AdapterPayload => record
const nameless = (record: AdapterPayload): AdapterPayload =>
  record.sessionUid === undefined ? record : withoutPerson(record)

/**
 * @param onEnded  called once for each ended session, after its record is deleted; must not reject
 * @param form  how the record of a session is written
 * @param untold  where an end leaves the applications that have to be told
 * @param registrations  of applications. @default every grant counts
 */
export const createGrants = (
  redis: RedisClients,
  marks: SessionMarks,
  onEnded: (session: EndedSession) => Promise<void>,
  form: RecordForm = inJson,
  untold: Untold = createUntold(redis),
  registrations?: Registrations,
): Grants => {
  const { data, keys, writing } = redis
  const at = (sid: string) => recordKey(keys, MODEL, sid)

  /**
   * Deletes what else a session has on other shards. This does not delay the end: if a shard is unavailable,
   * its records expire by their own TTL.
   */
  const forget = (sid: string, token: string, notice?: EndNotice): void => {
    data.unlink(keys.usedRefreshTokens(sid)).catch(() => {})
    if (!token) return
    const saysWhy = notice !== undefined && (notice.reason !== undefined || notice.code !== 'REVOKED')
    const note = [saysWhy ? TELL_SECONDS : KEEP_SECONDS, notice ? JSON.stringify(notice) : ''] as const
    noteEnd(data, [keys.oidc(REFRESH_TOKEN, token)], note).catch(() => {})
  }

  /** Takes a session's record, and leaves the applications that it names to be told. */
  const takeWith = async (sid: string, owner = ''): Promise<Fields | undefined> => {
    const takeIf = (announced: 0 | 1) => take(data, [at(sid), untold.at(sid)], [sid, untold.keepMs, announced, owner])
    const taken = await takeIf(0)
    if (taken !== 'unannounced') return taken
    await untold.announce(sid)
    const left = await takeIf(1)
    if (left === 'unannounced') throw new Error('an announced end was refused')
    if (left) void untold.left(sid)
    return left
  }

  /**
   * Every end of a session goes through here. Resolves with the owner's id, for the one call that ended the
   * session.
   *
   * @param owner  of an application's grant, which does not say whose it is
   */
  const destroy = async (sid: string, notice?: EndNotice, owner?: string): Promise<string | undefined> => {
    const taking = writing(at(sid))
    const taken = await takeWith(sid, owner)
    const record = taken && form.read(taken)
    if (taken) forget(sid, taken.token ?? '', notice)
    // That an application was left ends no session.
    const accountId = record?.sessionUid === undefined ? record?.accountId : undefined
    const telling = accountId ? writing(keys.channelEnds(userChannel(accountId))) : undefined
    if (accountId) await onEnded({ sub: accountId, sid, ...notice })
    // Wait for replicas last, also in a retry after a failure at this point: once a client was told that its
    // session is over, a failover must not bring the session back.
    await Promise.all([taking(), telling?.()])
    return accountId
  }

  const records = createRecords(redis, MODEL, form)
  const hasSession = async (sid: string): Promise<boolean> => (await orUnavailable(data.exists(at(sid)))) === 1

  const ownerOf = async (sid: string): Promise<string | undefined> =>
    form.read(await orUnavailable(data.hgetall(at(sid))))?.accountId

  const find = async (id: string, sessionUid?: string): Promise<AdapterPayload | undefined> => {
    const [record, owner] = await Promise.all([records.find(id), sessionUid === undefined ? '' : ownerOf(sessionUid)])
    if (!record) return undefined
    const depends = record.sessionUid
    const [accountId, counts] = await Promise.all([
      depends === undefined ? record.accountId : depends === sessionUid ? owner : ownerOf(depends),
      registrations?.counts(record) ?? true,
    ])
    if (depends === undefined) return counts ? record : undefined
    if (accountId !== undefined) return counts ? { ...record, accountId } : undefined
    await records.destroy(id)
    return undefined
  }

  return {
    at,
    find,
    adapter: {
      ...records,
      // The provider's record holds the session's latest possible end. The session reaches it only if it is
      // used.
      upsert: (sid, record, expiresIn = FIRST_SECONDS) =>
        // That of an application is worth nothing without its session, and lives as long as one that is not
        // used.
        records.upsert(
          sid,
          nameless(registrations?.named(record) ?? record),
          Math.min(expiresIn, record.sessionUid === undefined ? FIRST_SECONDS : SESSION_OF_BROWSER_SECONDS),
        ),
      find: (id) => find(id),
      // The provider ends a session on revocation, or when a refresh token was replayed. It goes through the
      // same steps as every other end.
      destroy: async (sid) => {
        const record = form.read(await orUnavailable(data.hgetall(at(sid))))
        const sub = record?.accountId
        if (!sub || record.sessionUid !== undefined) {
          // A code or a refresh token of the application was used twice. The session that it keeps in a
          // cookie of its own may be the thief's. A full Redis cannot note that.
          const { clientId, sessionUid } = record ?? {}
          const owner = sessionUid === undefined ? undefined : await ownerOf(sessionUid)
          if (clientId && owner && isRedeeming()) await enter(data, [at(sid)], [clientId]).catch(() => {})
          return void (await destroy(sid, undefined, owner))
        }
        const replicated = writing(keys.sessions(sub))
        await marks.begin(sub, [sid])
        await destroy(sid)
        await marks.finish(sub, [sid])
        await replicated()
      },
    },
    prolong: (sid, seconds, token) => {
      const until = Math.floor(Date.now() / 1000) + seconds
      return prolong(data, [at(sid)], [until, token, MOST_REFRESH_TOKENS, KEEP_SECONDS])
    },
    destroy: async (sid, notice) => (await destroy(sid, notice)) !== undefined,
    hasSession,
    ownerOf,
    eraseToken: async (sid) => {
      const token = await orUnavailable(data.hget(at(sid), 'token'))
      const all = [keys.usedRefreshTokens(sid), ...(token ? [keys.oidc(REFRESH_TOKEN, token)] : [])]
      const replicated = writing(...all)
      await Promise.all(all.map((key) => orUnavailable(data.unlink(key))))
      await replicated()
    },
    enter: (sid, clientId) => enter(data, [at(sid)], [clientId]),
    keep: async (id, seconds) => {
      await orUnavailable(data.expire(at(id), seconds, 'GT'))
    },
  }
}
