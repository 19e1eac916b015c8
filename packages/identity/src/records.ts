import { hash } from 'node:crypto'
import { type Keys, orUnavailable, type RedisClients } from '@saoma/redis'
import { type Adapter, errors } from './oidc-provider.ts'
import { consume, save } from './scripts.ts'

/** Where a record lies: under the hash of its id. */
export const recordKey = (keys: Keys, model: string, id: string): string =>
  keys.oidc(model, hash('sha256', id, 'base64url'))

/** What a refresh token is called by the provider. */
export const REFRESH_TOKEN = 'RefreshToken'
/**
 * How long a refresh token that is worth nothing stays: a repeat must be known for one, and a log-out that is
 * told twice be served.
 */
export const KEEP_SECONDS = 600

/**
 * oidc-provider's storage for everything but device codes and, in part, refresh tokens. One Redis hash a
 * record, under the hash of its id, so that reading Redis gives nobody a token. A record is used up at most
 * once, whoever asks at the same time.
 */
export const createRecords = ({ data, keys, writing }: RedisClients, model: string): Adapter => {
  const at = (id: string) => recordKey(keys, model, id)

  return {
    upsert: async (id, { jti: _, ...payload }, expiresIn) => {
      if (!expiresIn) throw new TypeError(`${model} has no lifetime; every record needs one`)
      const replicated = writing(at(id))
      await save(data, [at(id)], [JSON.stringify(payload), expiresIn])
      await replicated()
    },
    find: async (id) => {
      const [payload, consumed] = await orUnavailable(data.hmget(at(id), 'payload', 'consumed'))
      if (!payload) return undefined
      return { ...JSON.parse(payload), jti: id, ...(consumed ? { consumed: Number(consumed) } : {}) }
    },
    consume: async (id) => {
      if (!(await consume(data, [at(id)], [0]))) throw new errors.InvalidGrant('already used')
    },
    destroy: async (id) => {
      await orUnavailable(data.unlink(at(id)))
    },
    // Tokens are worth nothing without their grant, which the provider destroys beside this call; what is
    // left goes with its TTL.
    revokeByGrantId: async () => {},
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
  }
}
