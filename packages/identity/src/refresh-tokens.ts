import { createHmac, hash, randomBytes } from 'node:crypto'
import { type EndNotice, HASHED_TOKEN } from '@saoma/protocol'
import { orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { type Grants, withoutPerson } from './grants.ts'
import { type Adapter, type AdapterPayload, errors, Provider } from './oidc-provider.ts'
import type { RecordForm } from './record-form.ts'
import { createRecords, KEEP_SECONDS, REFRESH_TOKEN as MODEL } from './records.ts'
import { requestState } from './request-state.ts'
import { chooseSuccessor, consume, isUsed, loadToken, markUsed } from './scripts.ts'
import { isMark } from './session-marks.ts'
import { tooMany } from './too-many.ts'

/**
 * For this many seconds after its use a refresh token may be used again, and gets the same successor: the
 * answer may have been lost with a node, a network or a page. This is longer than the SDK retries without a
 * `Retry-After` (46 s). A later use is a replay, which ends the session.
 */
export const REPEAT_SECONDS = 60

/** 32,768 marks: 2.5 times what a page needs that refreshes every ten minutes for 90 days. */
const MOST_BYTES = 262_144
/**
 * A refresh token begins with its session's id. So a used token can be recognised without a record of its
 * own.
 */
const TOKEN = /^[A-Za-z0-9_-]{65}$/
const DIGEST = /^[A-Za-z0-9_-]{43}$/
const SID_LENGTH = 22
const sidOf = (id: string): string => id.slice(0, SID_LENGTH)
const digestOf = (id: string): string => hash('sha256', id, 'base64url')
const markOf = (id: string): string => digestOf(id).slice(0, 8)

/**
 * Names the first refresh token of a session, in the request that creates it. Each retry of the same login
 * gives the same token.
 */
export const nameFirst = ({ deviceCode, salt }: { deviceCode: string; salt: string }): void => {
  const end = createHmac('sha256', deviceCode).update(salt).digest('base64url')
  const state = requestState()
  if (state) state.refresh = { end, isRepeat: false }
}

/**
 * oidc-provider's storage of refresh tokens. The provider consumes a token before it writes the successor.
 * This storage writes the successor first, waits for the replicas, and consumes the old token last. If a step
 * fails, the client can retry with the token that it has.
 *
 * @param form  how a token's record is written
 * @param onRepeated  called for each repeated refresh
 * @param onLimited  called for each refresh that was refused because its session has refreshed too often
 *   recently
 */
export const createRefreshTokens = (
  redis: RedisClients,
  grants: Grants,
  form: RecordForm,
  onRepeated: () => void,
  onLimited: () => void,
): Adapter => {
  const { data, keys, writing, reachReplicas } = redis
  const records = createRecords(redis, MODEL, form)
  /** The digest of a token, or of the hash that a client sends in its place to log out. */
  const nameOf = (id: string) => (id.startsWith(HASHED_TOKEN) ? id.slice(HASHED_TOKEN.length) : digestOf(id))
  const at = (id: string) => keys.oidc(MODEL, nameOf(id))

  const load = async (id: string) => {
    const found = await loadToken(data, [at(id)], [])
    const payload = found && form.read(found.fields)
    return found && payload && { ...found, payload }
  }

  /**
   * Finds a token by the hash that a client kept for its logout. Only the revocation route may accept a hash.
   */
  const findByHash = async (id: string) => {
    if (Provider.ctx?.oidc.route !== 'revocation' || !DIGEST.test(nameOf(id))) return undefined
    const found = await load(id)
    return found && { ...found.payload, jti: id }
  }

  const onList = async (sub: string, sid: string): Promise<'listed' | 'ended' | 'nowhere'> => {
    const entry = await orUnavailable(data.hget(keys.sessions(sub), sid))
    return entry === null ? 'nowhere' : isMark(entry) ? 'ended' : 'listed'
  }

  /** The person of an application's token. The grant is kept for the request, which reads it next. */
  const personOf = async ({ sessionUid, grantId = '' }: AdapterPayload): Promise<{ accountId?: string }> => {
    const grant = sessionUid === undefined ? undefined : await grants.find(grantId, sessionUid)
    const state = requestState()
    if (state && grant) state.grant = grant
    return grant?.accountId === undefined ? {} : { accountId: grant.accountId }
  }

  return {
    ...records,
    find: async (id) => {
      if (id.startsWith(HASHED_TOKEN)) return findByHash(id)
      const found = await load(id)
      if (!found) {
        // Whoever asks about a token does not use it.
        const isAsked = Provider.ctx?.oidc.route === 'introspection'
        const isReplay =
          !isAsked && TOKEN.test(id) && (await isUsed(data, [keys.usedRefreshTokens(sidOf(id))], [markOf(id)]))
        if (isReplay) await grants.adapter.destroy(sidOf(id))
        return undefined
      }
      const { payload, usedSecondsAgo, mayRepeat } = found
      const state = requestState()
      if (state && found.fields.end) state.ended = JSON.parse(found.fields.end) as EndNotice
      const isReplay = usedSecondsAgo !== undefined && (usedSecondsAgo > REPEAT_SECONDS || !mayRepeat)
      return { ...payload, ...(await personOf(payload)), jti: id, ...(isReplay ? { consumed: true } : {}) }
    },
    // Decides the successor. It is derived from the salt, which only we know, and the old token, which only
    // its bearer knows.
    consume: async (id) => {
      const decided = await chooseSuccessor(data, [at(id)], [randomBytes(16).toString('base64url')])
      if (!decided) throw new errors.InvalidGrant('refresh token not found')
      if (decided.isRepeat) onRepeated()
      const end = createHmac('sha256', id).update(decided.salt).digest('base64url')
      const state = requestState()
      if (state) state.refresh = { end, isRepeat: decided.isRepeat }
    },
    upsert: async (id, payload, expiresIn) => {
      const used = Provider.ctx?.oidc.entities.RotatedRefreshToken
      if (payload.rotations && !used) throw new Error('the provider does not say which refresh token was used')
      const { grantId = '', accountId = '', sessionUid = grantId } = payload
      // If the session is not on its person's list, Redis has lost the entry: nobody could see or end the
      // session. A mark there means that the session is being ended.
      if (used && (await onList(accountId, sessionUid)) !== 'listed') {
        await grants.destroy(grantId)
        throw new errors.InvalidGrant('this session is on no list')
      }
      const marks = keys.usedRefreshTokens(grantId)
      const replicated = writing(grants.at(grantId), at(id), ...(used ? [at(used.jti), marks] : []))
      if (!expiresIn) throw new TypeError('a refresh token needs a lifetime')
      // A session that failed in its beginning must not get a longer life.
      if (!used && !((await requestState()?.stands) ?? true)) throw new errors.InvalidGrant('this session was ended')
      // Redis takes both in this order.
      const [former, { isThere, waitSeconds }] = await Promise.all([
        used || sessionUid === grantId ? null : orUnavailable(data.hget(grants.at(grantId), 'token')),
        grants.prolong(grantId, expiresIn, nameOf(id)),
      ])
      if (waitSeconds !== undefined) {
        onLimited()
        throw tooMany(Provider.ctx, waitSeconds)
      }
      if (!isThere && (used || (await onList(accountId, sessionUid)) === 'ended'))
        throw new errors.InvalidGrant('this session was ended')
      // Redis has lost the session. A repeat of the login creates it again.
      if (!isThere) throw new RedisUnavailable('the session that has just begun is not there')
      const isOwn = sessionUid === grantId
      await Promise.all([
        records.upsert(id, isOwn ? payload : withoutPerson(payload), expiresIn),
        // Whoever uses an application uses the session.
        isOwn ? undefined : grants.prolong(sessionUid, expiresIn, ''),
      ])
      // An application logs the same person in again whenever it likes. Only its newest token stays.
      if (former && former !== nameOf(id))
        await orUnavailable(data.expire(keys.oidc(MODEL, former), KEEP_SECONDS, 'LT'))
      if (!used) return replicated()
      // Check the replicas of everything that this refresh writes, on several shards. The old token is
      // consumed last.
      await reachReplicas(grants.at(grantId), at(id), at(used.jti), marks)
      const mark = [markOf(used.jti), MOST_BYTES, expiresIn] as const
      if (!requestState()?.refresh?.isRepeat && !(await markUsed(data, [marks], mark))) {
        await grants.adapter.destroy(grantId)
        throw new errors.InvalidGrant('this session was refreshed too often')
      }
      await consume(data, [at(used.jti)], [KEEP_SECONDS])
      await replicated()
    },
    // A session ends with its grant. If the token were deleted, a retry of a logout that failed half-way
    // would find nothing to end.
    destroy: async (id) => {
      await orUnavailable(data.expire(at(id), KEEP_SECONDS, 'LT'))
    },
  }
}

/**
 * The parts of the provider's models that its types leave out. A test covers them: a repeat gets the same
 * token.
 */
interface TokenModel {
  prototype: { grantId?: string; generateTokenId(): string }
}

/**
 * Makes the provider use the names that the storage has decided: the successor's name, or else a random one.
 */
export const nameSuccessors = (model: object): void => {
  const { prototype } = model as TokenModel
  const random = prototype.generateTokenId
  prototype.generateTokenId = function (): string {
    return `${this.grantId}${requestState()?.refresh?.end ?? random.call(this)}`
  }
}
