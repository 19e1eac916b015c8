import { boundBy } from '@saoma/client'
/** Why a backend would refuse a token. Backends make the same checks. */
export type Flaw = 'signature' | 'key' | 'expired' | 'issuer' | 'audience' | 'unreachable' | 'insecure'

export interface Verification {
  /** Absent if the token is valid. */
  flaw?: Flaw
  /** Milliseconds since 1970. */
  checkedAt: number
  /** The node that answered the request for the keys. */
  node: string
  header: unknown
  claims: unknown
}

const TIMEOUT_MS = 10_000

const bytesOf = (part: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(part.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0))

const jsonOf = (part: string): Record<string, unknown> => JSON.parse(new TextDecoder().decode(bytesOf(part)))

const loadKeys = async (
  origin: string,
): Promise<{ keys: (JsonWebKey & { kid?: string })[]; node: string } | undefined> => {
  const { signal, release } = boundBy([], TIMEOUT_MS)
  try {
    const response = await fetch(`${origin}/oidc/jwks`, { cache: 'no-store', signal })
    if (!response.ok) return undefined
    const { keys } = await response.json()
    return { keys, node: response.headers.get('x-saoma-node') ?? '' }
  } catch {
    return undefined
  } finally {
    release()
  }
}

/**
 * Verifies an ES256 access token like a backend: the signature by the published keys, then issuer, audience
 * and time.
 */
export const verifyToken = async (token: string, origin: string): Promise<Verification> => {
  const [head = '', payload = '', signature = ''] = token.split('.')
  const header = jsonOf(head)
  const claims = jsonOf(payload)
  const published = await loadKeys(origin)
  const result = { checkedAt: Date.now(), node: published?.node ?? '', header, claims }
  if (!published) return { ...result, flaw: 'unreachable' }
  if (!globalThis.crypto?.subtle) return { ...result, flaw: 'insecure' }
  const jwk = published.keys.find((key) => key.kid === header.kid && key.kty === 'EC')
  if (!jwk || header.alg !== 'ES256') return { ...result, flaw: 'key' }
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify'])
  const signed = new TextEncoder().encode(`${head}.${payload}`)
  if (!(await crypto.subtle.verify(algorithm, key, bytesOf(signature), signed))) return { ...result, flaw: 'signature' }
  if (claims.iss !== `${origin}/oidc`) return { ...result, flaw: 'issuer' }
  if (![claims.aud].flat().includes(origin)) return { ...result, flaw: 'audience' }
  if (Number(claims.exp) * 1_000 <= Date.now()) return { ...result, flaw: 'expired' }
  return result
}
