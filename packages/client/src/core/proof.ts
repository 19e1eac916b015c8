import { type Claims, decodeClaims } from './claims.ts'
import type { Answer } from './request.ts'

/**
 * Whether the tokens of a login are bound to a key of this browser (RFC 9449). `true`: a browser that keeps
 * no keys cannot log in. `if-possible`: there its tokens are not bound.
 */
export type Binding = boolean | 'if-possible'

/** One key for each client of each server, in all tabs of this origin. */
const nameOf = (server: string, clientId: unknown): string => `${new URL(server).origin} ${clientId}`

/** The proof for one request with this token. Undefined if the token is not bound, or there is no key. */
const proofOf = (method: string, url: string, token: string): Promise<string | undefined> | undefined => {
  const { iss = '', cnf, client_id: clientId }: Partial<Claims> = decodeClaims(token) ?? {}
  if (Object(cnf).jkt === undefined) return undefined
  return (
    import('./dpop.ts')
      .then(({ prove }) => prove(nameOf(iss, clientId), { method, url, token }))
      // Without a proof the server refuses the token, and the next refresh ends the session.
      .catch(() => undefined)
  )
}

/**
 * The same request with the proof of its token's key. Undefined if its token is not bound: then it goes out
 * as it is, and in this turn.
 */
export const proven = (url: string, init: RequestInit): Promise<RequestInit> | undefined => {
  const { authorization } = (init.headers ?? {}) as { authorization?: unknown }
  const token = typeof authorization === 'string' ? /^Bearer (.*)$/.exec(authorization)?.[1] : undefined
  const proof = token === undefined ? undefined : proofOf(init.method ?? 'GET', url, token)
  return proof?.then((dpop) => ({
    ...init,
    headers: { ...(init.headers as Record<string, string>), authorization: `DPoP ${token}`, ...(dpop ? { dpop } : {}) },
  }))
}

/** The headers of one request with the present token. */
export const authorize = async (
  { method, url }: { method: string; url: string },
  tokenOf: () => Promise<Answer<string>>,
): Promise<Answer<Record<string, string>>> => {
  const token = await tokenOf()
  if (!token.ok) return token
  const bearer = { authorization: `Bearer ${token.value}` }
  const bound = await proven(url, { method, headers: bearer })
  return { ok: true, value: (bound?.headers as Record<string, string> | undefined) ?? bearer }
}

/** What a socket shows to the server: a token, and the proof of its key if it is bound. */
export const credentialsOf = async (origin: string, token: string): Promise<{ token: string; dpop?: string }> => {
  const dpop = await proofOf('GET', `${origin}/socket.io/`, token)
  return dpop === undefined ? { token } : { token, dpop }
}

/**
 * The headers with which a token request binds its tokens to the key of this browser: none if they are not to
 * be bound. KEY_UNAVAILABLE if they must be, and the browser keeps no keys.
 */
export const bindingOf = async (
  binding: Binding | undefined,
  url: string,
  clientId: string,
): Promise<Answer<Record<string, string>>> => {
  if (!binding) return { ok: true, value: {} }
  try {
    const { prove } = await import('./dpop.ts')
    return { ok: true, value: { dpop: await prove(nameOf(url, clientId), { method: 'POST', url }) } }
  } catch {
    if (binding === 'if-possible') return { ok: true, value: {} }
    const message = 'This browser keeps no keys, and this page asks for tokens that are bound to one (dpop).'
    return { ok: false, code: 'KEY_UNAVAILABLE', react: 'stop', message }
  }
}
