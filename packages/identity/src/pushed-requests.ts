import { type Adapter, errors, Provider } from './oidc-provider.ts'
import { useUpLast } from './used-up.ts'

/** Characters of a stored request. As an address it would be about as long as servers take. */
const LONGEST = 8_000

/**
 * oidc-provider's storage of pushed authorization requests (RFC 9126). Each costs memory. Anybody can push
 * one for a public client, so these count like requests that wait for a person.
 *
 * @param check  throws if the client may not ask from there
 * @param admit  rejects if the network of the request has too many that wait
 */
export const createPushedRequests = (records: Adapter, check: () => void, admit: () => Promise<void>): Adapter => ({
  ...records,
  upsert: async (id, payload, expiresIn) => {
    check()
    if (String(payload.request ?? '').length > LONGEST) throw new errors.InvalidRequest('the request is too long')
    if (Provider.ctx?.oidc.client?.clientAuthMethod === 'none') await admit()
    await records.upsert(id, payload, expiresIn)
  },
  consume: (id) => useUpLast(async () => void (await records.consume(id))),
})
