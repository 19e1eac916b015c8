import type { Grants } from './grants.ts'
import { type Adapter, errors } from './oidc-provider.ts'
import { requestState } from './request-state.ts'
import { useUpLast } from './used-up.ts'

/**
 * oidc-provider's storage of authorization codes. A code that is used twice was stolen, or is: the tokens of
 * the first use die (RFC 6749, section 4.1.2). The provider sees to that if it reads that the code was used.
 * Of two uses at once both may read that it was not. Then this does.
 *
 * A code is used up after its tokens are written. If that fails, the application repeats the request.
 *
 * @param readAccount  begins to read the account, which the provider asks for later
 */
export const createCodes = (
  records: Adapter,
  grants: Pick<Grants, 'adapter' | 'find'>,
  readAccount: (sub: string) => void,
): Adapter => ({
  ...records,
  find: async (id) => {
    const code = await records.find(id)
    const { grantId, accountId, sessionUid } = code ?? {}
    const state = requestState()
    if (!state || grantId === undefined || accountId === undefined) return code
    readAccount(accountId)
    const grant = await grants.find(grantId, sessionUid)
    if (grant) state.grant = grant
    return code
  },
  consume: (id) =>
    useUpLast(async () => {
      try {
        await records.consume(id)
      } catch (error) {
        const grantId = error instanceof errors.InvalidGrant ? (await records.find(id))?.grantId : undefined
        if (grantId) await grants.adapter.destroy(grantId)
        throw error
      }
    }),
})
