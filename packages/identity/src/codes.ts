import type { Grants } from './grants.ts'
import { type Adapter, errors } from './oidc-provider.ts'

/**
 * oidc-provider's storage of authorization codes. A code that is used twice was stolen, or is: the tokens of
 * the first use die (RFC 6749, section 4.1.2). The provider sees to that if it reads that the code was used.
 * Of two uses at once both may read that it was not. Then this does.
 */
export const createCodes = (records: Adapter, grants: Pick<Grants, 'adapter'>): Adapter => ({
  ...records,
  consume: async (id) => {
    try {
      await records.consume(id)
    } catch (error) {
      const grantId = error instanceof errors.InvalidGrant ? (await records.find(id))?.grantId : undefined
      if (grantId) await grants.adapter.destroy(grantId)
      throw error
    }
  },
})
