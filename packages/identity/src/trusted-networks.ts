import { codes } from '@saoma/protocol'
import type { ClientRegistry } from './client.ts'
import { WEB_CLIENT } from './clients.ts'
import { APPLICATION } from './login-client.ts'
import { errors, type KoaContextWithOIDC } from './oidc-provider.ts'
import type { RequestState } from './request-state.ts'

export interface TrustedNetworksOptions {
  /** Networks from which the client `web` may begin a login (CIDR). @default all */
  webNetworks?: readonly string[]
  /** Whether an address is in one of these networks. @default no network is known, so none is refused */
  isIn?: (networks: readonly string[], address: string) => boolean
}

/** Where a login may begin (RFC 10027, section 6.1.8). */
export interface TrustedNetworks {
  /**
   * Throws AccessDenied if the client of this request may not begin a login from where the request comes.
   * Page and application are told by the code NETWORK_NOT_ALLOWED.
   */
  check(ctx: KoaContextWithOIDC): void
  /**
   * The same for a pushed authorization request. A confidential client sends it from its server, which says
   * nothing about the browser: that one is checked when it comes.
   */
  checkPushed(ctx: KoaContextWithOIDC | undefined): void
}

/**
 * Somebody outside gets no code, so nobody can be talked into confirming it. The networks of an application
 * count for the page that logs people in to it, too.
 */
export const createTrustedNetworks = (
  registry: ClientRegistry,
  { webNetworks = [], isIn = () => true }: TrustedNetworksOptions = {},
): TrustedNetworks => {
  const networksOf = ({ oidc: { client } }: KoaContextWithOIDC): readonly string[] => {
    const application = client?.[APPLICATION]
    const id = typeof application === 'string' ? application : (client?.clientId ?? '')
    return id === WEB_CLIENT ? webNetworks : (registry.find(id)?.networks ?? [])
  }

  const check = (ctx: KoaContextWithOIDC): void => {
    const networks = networksOf(ctx)
    if (networks.length === 0 || isIn(networks, ctx.ip)) return
    const { status, say } = codes.NETWORK_NOT_ALLOWED
    const state = ctx.state as RequestState
    state.refusal = { code: 'NETWORK_NOT_ALLOWED' }
    throw Object.assign(new errors.AccessDenied(say.en), {
      status,
      statusCode: status,
      // Our own page says what to do. An application that asks without showing anything has to be told
      // itself.
      allow_redirect: ctx.oidc.prompts?.has('none') ?? false,
    })
  }

  return {
    check,
    checkPushed: (ctx) => {
      if (ctx?.oidc.client?.clientAuthMethod === 'none') check(ctx)
    },
  }
}
