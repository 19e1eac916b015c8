import { userChannel } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { Adapter } from 'oidc-provider'
import { ACCESS_TOKEN_SECONDS } from './clients.ts'
import { createRecords, KEEP_SECONDS, REFRESH_TOKEN, recordKey } from './records.ts'
import { prolong, take } from './scripts.ts'
import type { EndedSession } from './session-ends.ts'
import type { SessionMarks } from './session-marks.ts'

/** Sessions: each is a grant of the provider, and its id is the `sid` of every token. */
export interface Grants {
  /** Where a session's record lies. */
  at(sid: string): string
  /** oidc-provider's storage of them. */
  adapter: Adapter
  /**
   * A session gets a refresh token: so many seconds from now, never fewer than it has, and none after its
   * latest end. `token` names the token's record. With `waitSeconds` it got too many of late.
   */
  prolong(sid: string, seconds: number, token: string): Promise<{ isThere: boolean; waitSeconds?: number }>
  /** Ends a session. Whether this call was the one that did. */
  destroy(sid: string): Promise<boolean>
  hasSession(sid: string): Promise<boolean>
}

const MODEL = 'Grant'
/** Refresh tokens of a session in ten minutes. A page needs one; the record of each stays as long. */
export const MOST_REFRESH_TOKENS = 60
/**
 * A session that got no refresh token is over when its access token is; each refresh token gives it the life
 * of that.
 */
const FIRST_SECONDS = ACCESS_TOKEN_SECONDS + 60

/** @param onEnded  told once of each session that is ended, when its record is gone; must not reject */
export const createGrants = (
  redis: RedisClients,
  marks: SessionMarks,
  onEnded: (session: EndedSession) => Promise<void>,
): Grants => {
  const { data, keys, writing } = redis
  const at = (sid: string) => recordKey(keys, MODEL, sid)

  const ownerOf = (payload: string | null | undefined): string | undefined =>
    (payload ? (JSON.parse(payload) as { accountId?: string }) : {}).accountId

  /**
   * What is left of a session lies on other shards. If they cannot be asked it goes by its own TTL, and the
   * end does not wait for that.
   */
  const forget = (sid: string, token: string): void => {
    data.unlink(keys.usedRefreshTokens(sid)).catch(() => {})
    if (token) data.expire(keys.oidc(REFRESH_TOKEN, token), KEEP_SECONDS, 'LT').catch(() => {})
  }

  /**
   * Whoever ends a session comes through here. Resolves with whose it was, for the one call that ended it.
   */
  const destroy = async (sid: string): Promise<string | undefined> => {
    const taking = writing(at(sid))
    const taken = await take(data, [at(sid)], [])
    const accountId = ownerOf(taken?.payload)
    if (taken) forget(sid, taken.token)
    const telling = accountId ? writing(keys.channelEnds(userChannel(accountId))) : undefined
    if (accountId) await onEnded({ sub: accountId, sid })
    // Last, and also for a call that is repeated because it failed here: who was told that it is over is not
    // logged in after a failover.
    await Promise.all([taking(), telling?.()])
    return accountId
  }

  const records = createRecords(redis, MODEL)
  return {
    at,
    adapter: {
      ...records,
      // The provider keeps in the record when a session ends at the latest. So long it lives only if it is
      // used.
      upsert: (sid, record, expiresIn = FIRST_SECONDS) =>
        records.upsert(sid, record, Math.min(expiresIn, FIRST_SECONDS)),
      // The provider ends one by revocation, or because a refresh token was replayed. In the order in which
      // all sessions end.
      destroy: async (sid) => {
        const sub = ownerOf(await orUnavailable(data.hget(at(sid), 'payload')))
        if (!sub) return void (await destroy(sid))
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
    destroy: async (sid) => (await destroy(sid)) !== undefined,
    hasSession: async (sid) => (await orUnavailable(data.exists(at(sid)))) === 1,
  }
}
