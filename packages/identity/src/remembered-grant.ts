import { type Adapter, Provider } from './oidc-provider.ts'
import { requestState } from './request-state.ts'

/**
 * The request that redeems a code writes the grant and then reads it to sign its content. This keeps the
 * grant in the request's state and saves the read. A refresh token without its grant is worthless.
 */
export const rememberedInRequest = (adapter: Adapter, refreshTokens: Adapter): Adapter => ({
  ...adapter,
  upsert: async (id, payload, expiresIn) => {
    await adapter.upsert(id, payload, expiresIn)
    const state = requestState()
    if (state) state.grant = { ...payload, jti: id }
  },
  find: async (id) => {
    const written = requestState()?.grant
    if (written?.jti === id) return written
    const found = await adapter.find(id)
    const token = String(Provider.ctx?.oidc.params?.refresh_token ?? '')
    if (!found && token.startsWith(id)) await refreshTokens.destroy(token)
    return found
  },
})
