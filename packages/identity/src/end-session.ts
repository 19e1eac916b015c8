import { decodeProtectedHeader } from 'jose'
import type { ClientRegistry } from './client.ts'
import { errorPage } from './error-page.ts'
import { type Configuration, type KoaContextWithOIDC, Provider } from './oidc-provider.ts'
import { outage, unwrapped } from './outage.ts'
import { type KeyRings, signingAlgorithms } from './signing-keys.ts'

/*
 * Logout that an application begins (OpenID Connect RP-Initiated Logout). The provider checks the request and
 * ends the login of the browser. Our page asks the person in between.
 */

/** The cookie of a browser that is logged in for applications. */
export const sessionCookie = (origin: string): string =>
  // With this prefix a browser takes the cookie from this host alone, so no other host of the domain can put
  // its own session here.
  `${origin.startsWith('https:') ? '__Host-' : ''}saoma_session`

/** Whether the present request is about logging out. */
export const isLogout = ({ oidc }: KoaContextWithOIDC): boolean => oidc.route.startsWith('end_session')

type Features = Pick<NonNullable<Configuration['features']>, 'rpInitiatedLogout' | 'backchannelLogout'>

/**
 * Logouts. Our pages ask the person, and say that it is done if the application names no address. Logout
 * tokens are sent as `createLogouts` says.
 */
export const logoutFeatures = (origin: string): Features => {
  const lead = (ctx: KoaContextWithOIDC, path: string): void => {
    ctx.status = 303
    ctx.redirect(`${origin}${path}`)
  }
  return {
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx) => lead(ctx, '/oidc/logout'),
      postLogoutSuccessSource: (ctx) => lead(ctx, '/oidc/logout/done'),
    },
    backchannelLogout: { enabled: true },
  }
}

/**
 * A request to log out leaves something in Redis, and anybody can send one. Resolves with whether it may go
 * on; else it is answered.
 *
 * @param limit  resolves with the seconds to wait, or with undefined
 */
export const admitLogout = async (
  ctx: KoaContextWithOIDC,
  limit: (address: string) => Promise<number | undefined> = async () => undefined,
): Promise<boolean> => {
  if (ctx.path !== '/session/end') return true
  try {
    const seconds = await limit(ctx.ip)
    if (seconds === undefined) return true
    ctx.status = 429
    ctx.set('Retry-After', String(seconds))
  } catch (error) {
    const { status } = outage(error) as { status?: number }
    if (status === undefined) throw error
    ctx.status = status
    ctx.set('Retry-After', '2')
  }
  errorPage(ctx, { error: 'temporarily_unavailable' }, 'logout')
  return false
}

/** The parts of the provider's models that its types leave out. */
interface IdTokenModel {
  validate: Provider['IdToken']['validate']
}

const kidOf = (token: string): string | undefined => {
  try {
    return decodeProtectedHeader(token).kid
  } catch {
    return undefined
  }
}

/**
 * An application keeps its id token for as long as somebody is logged in there. The key that signed it may be
 * gone by then. Such a token names an application, as `client_id` would, and is worth no more than that: the
 * person is asked, and goes to a registered address of that application. So it is let through as a hint of a
 * logout. A token with a key that is known has to be right.
 *
 * @param rings  the keys that are known
 */
export const takeOldHints = (provider: Provider, rings: KeyRings): void => {
  const kids = signingAlgorithms.flatMap((alg) => rings[alg].map(({ kid }) => kid))
  const model = provider.IdToken as unknown as IdTokenModel
  const validate = model.validate.bind(provider.IdToken)
  model.validate = async (token, client) => {
    const kid = kidOf(token)
    const isOld = Provider.ctx?.oidc.route === 'end_session' && kid !== undefined && !kids.includes(kid)
    return isOld ? { header: {}, payload: {} } : validate(token, client)
  }
}

/** What the page of a logout shows, and what it sends to end the login. */
export interface LogoutView {
  /** Proves that the form was made by our page. */
  xsrf: string
  /** The application that asks. */
  application?: { id: string; name: string; logo?: string }
}

/**
 * The logout that a browser has been asked about. Undefined if there is none, or nobody is logged in there.
 * The caller must have read the session's id from its signed cookie. Rejects with RedisUnavailable.
 */
export const readLogout = async (
  provider: Provider,
  registry: ClientRegistry,
  id: string,
): Promise<LogoutView | undefined> => {
  const session = await unwrapped(provider.Session.find(id))
  const { secret, clientId } = (session?.state ?? {}) as { secret?: string; clientId?: string }
  if (!session?.accountId || secret === undefined) return undefined
  const client = clientId === undefined ? undefined : registry.find(clientId)
  const { name, logo } = client ?? {}
  return {
    xsrf: secret,
    ...(client && name !== undefined ? { application: { id: client.id, name, ...(logo ? { logo } : {}) } } : {}),
  }
}
