import { createHmac } from 'node:crypto'
import type { RedisClients } from '@saoma/redis'
import Provider, { type Adapter } from 'oidc-provider'
import type { Grants } from './grants.ts'
import { createRecords, recordKey } from './records.ts'
import { consume } from './scripts.ts'

/**
 * For so many seconds after its use a refresh token may be used again, and gets the same successor: the answer may have been lost with a
 * node, a network or a page. Later it is a replay, which ends the session.
 */
export const REPEAT_SECONDS = 30

const MODEL = 'RefreshToken'
const epochSeconds = () => Math.floor(Date.now() / 1000)

/**
 * oidc-provider's storage of refresh tokens. The provider uses one up before it writes its successor; here it is the other way round, and in
 * between comes the wait for replicas: whatever fails, the token that the client has is good for another try.
 */
export const createRefreshTokens = (redis: RedisClients, grants: Grants): Adapter => {
  const records = createRecords(redis, MODEL)
  return {
    ...records,
    find: async (id) => {
      const record = await records.find(id)
      if (!record?.consumed || epochSeconds() - Number(record.consumed) > REPEAT_SECONDS) return record
      const { consumed: _, ...unused } = record
      return unused
    },
    consume: async () => {},
    upsert: async (id, payload, expiresIn) => {
      await records.upsert(id, payload, expiresIn)
      if (payload.grantId && expiresIn) await grants.prolong(payload.grantId, expiresIn)
      const used = Provider.ctx?.oidc.entities.RotatedRefreshToken
      if (used) await consume(redis.data, [recordKey(redis.keys, MODEL, used.jti)], [epochSeconds()])
    },
  }
}

/** What of the provider's models its types do not show. A test holds it: a repeat gets the same token. */
interface TokenModel {
  prototype: { generateTokenId(): string }
}

/**
 * Makes the successor of a refresh token one that only its bearer and this cluster can tell, instead of a random one.
 *
 * @param secret  of the cluster; without it nobody gets from a token that was used up to the one that is good
 */
export const deriveSuccessors = (model: object, secret: string): void => {
  const { prototype } = model as TokenModel
  const random = prototype.generateTokenId
  prototype.generateTokenId = function (): string {
    const used = Provider.ctx?.oidc.entities.RotatedRefreshToken
    return used ? createHmac('sha256', secret).update(used.jti).digest('base64url') : random.call(this)
  }
}
