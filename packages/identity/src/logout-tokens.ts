import type { Provider } from './oidc-provider.ts'

type Client = InstanceType<Provider['Client']>

/** Tells an application that a person's session has ended. Rejects if it did not take that. */
export type SendLogoutToken = (client: Client, sub: string, sid: string) => Promise<void>

/** The parts of the provider's model that its types leave out. */
interface ClientModel {
  prototype: { backchannelLogout: (this: Client, sub: string, sid: string) => Promise<void> }
}

/**
 * Takes from the provider what sends logout tokens. The provider itself would send them when somebody logs
 * out by its own route, once, and at no other end. So it sends none, and every end of a session does.
 */
export const takeLogoutTokens = (provider: Provider): SendLogoutToken => {
  const { prototype } = provider.Client as unknown as ClientModel
  const send = prototype.backchannelLogout
  prototype.backchannelLogout = async () => {}
  return (client, sub, sid) => send.call(client, sub, sid)
}
