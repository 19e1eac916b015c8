import type { ClientRegistry } from './client.ts'
import type { Provider } from './oidc-provider.ts'

const BASIC = /^Basic ([A-Za-z0-9+/]+={0,2})$/i

/** Name of a client without a secret, if the header has that and an empty password. */
const namedWithoutSecret = (authorization: string, registry: ClientRegistry): string | undefined => {
  const sent = BASIC.exec(authorization)?.[1]
  if (sent === undefined) return undefined
  const [id = '', password, ...more] = Buffer.from(sent, 'base64').toString().split(':')
  return password === '' && more.length === 0 && registry.find(id)?.type === 'public' ? id : undefined
}

/** What the types leave out: the form of a request, as the provider has parsed it. */
interface Context {
  ctx: { req: { headers: { authorization?: string } } }
}

/**
 * Makes the provider take an empty password of a client that has no secret for none. Some programs
 * (oidc-agent) send a header with one: beside the `client_id` of the form when they ask for a code, and in
 * its place when they ask for tokens. The provider looks for a secret in any header, and refuses both.
 *
 * So the header is taken out, and the name goes into the form, before the provider reads them. If the form
 * names another client, both stay, and the request is refused. So is a client that has a secret.
 */
export const takeEmptyPasswords = (provider: Provider, registry: ClientRegistry): void => {
  const forms = new WeakMap<object, unknown>()
  const named = (form: unknown, headers: Context['ctx']['req']['headers']): unknown => {
    const id = namedWithoutSecret(headers.authorization ?? '', registry)
    if (id === undefined) return form
    const { client_id: given = id } = form as { client_id?: unknown }
    if (given !== id) return form
    delete headers.authorization
    return { ...(form as object), client_id: id }
  }
  Object.defineProperty(provider.OIDCContext.prototype, 'body', {
    get(this: Context): unknown {
      return forms.get(this)
    },
    set(this: Context, form: unknown) {
      forms.set(this, named(form, this.ctx.req.headers))
    },
  })
}
