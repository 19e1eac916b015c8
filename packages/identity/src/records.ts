import { hash } from 'node:crypto'
import { type Keys, orUnavailable, type RedisClients } from '@saoma/redis'
import { type Adapter, errors } from './oidc-provider.ts'
import { inJson, type RecordForm } from './record-form.ts'
import { consume, save } from './scripts.ts'

/** Key of a record: contains the hash of its id. */
export const recordKey = (keys: Keys, model: string, id: string): string =>
  keys.oidc(model, hash('sha256', id, 'base64url'))

/** The provider's model name of refresh tokens. */
export const REFRESH_TOKEN = 'RefreshToken'
/**
 * How long a worthless refresh token is kept. It is needed to recognise a repeat, and to answer a repeated
 * logout.
 */
export const KEEP_SECONDS = 600

/**
 * oidc-provider's storage for everything except device codes and parts of refresh tokens. Each record is one
 * Redis hash under the hash of its id, so a reader of Redis learns no token. A record is consumed at most
 * once, also by concurrent requests.
 */
export const createRecords = (
  { data, keys, writing, reachReplicas }: RedisClients,
  model: string,
  form: RecordForm = inJson,
): Adapter => {
  const at = (id: string) => recordKey(keys, model, id)

  return {
    upsert: async (id, { jti: _, ...payload }, expiresIn) => {
      if (!expiresIn) throw new TypeError(`${model} has no lifetime; every record needs one`)
      const key = at(id)
      const replicated = writing(key)
      await save(data, [key], [expiresIn, ...form.write(payload)])
      await replicated()
    },
    find: async (id) => {
      const fields = await orUnavailable(data.hgetall(at(id)))
      const payload = form.read(fields)
      return payload && { ...payload, jti: id, ...(fields.consumed ? { consumed: Number(fields.consumed) } : {}) }
    },
    consume: async (id) => {
      const key = at(id)
      await reachReplicas(key)
      const replicated = writing(key)
      if (!(await consume(data, [key], [0]))) throw new errors.InvalidGrant('already used')
      await replicated()
    },
    destroy: async (id) => {
      await orUnavailable(data.unlink(at(id)))
    },
    // Tokens are worthless without their grant. The provider destroys the grant separately; the tokens expire
    // by their TTL.
    revokeByGrantId: async () => {},
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
  }
}
