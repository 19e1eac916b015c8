import { orUnavailable, type RedisClients } from '@saoma/redis'
import { type Adapter, errors } from './oidc-provider.ts'
import { recordKey } from './records.ts'

/**
 * oidc-provider's storage of what may be used once, such as proofs of keys. The provider reads first, and
 * writes what it did not find. Of two uses at once both would find nothing. So reading finds nothing, and the
 * first writer wins.
 */
export const createReplayRecords = ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>, model: string): Adapter => ({
  upsert: async (id, _payload, expiresIn) => {
    if (!expiresIn) throw new TypeError(`${model} has no lifetime; every record needs one`)
    const isFirst = await orUnavailable(data.set(recordKey(keys, model, id), '', 'EX', expiresIn, 'NX'))
    if (isFirst === null) throw new errors.InvalidGrant('this proof was used before')
  },
  find: async () => undefined,
  consume: async () => {},
  destroy: async () => {},
  revokeByGrantId: async () => {},
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
})
