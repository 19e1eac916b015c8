import { calculateJwkThumbprint, EmbeddedJWK, type JWTPayload, jwtVerify } from 'jose'
import { base64url } from '../core/base64url.ts'

/** A request whose token is bound to a key, and the proof of that key (RFC 9449). */
export interface ProvenRequest {
  /** The header `DPoP`. */
  dpop: string | undefined
  method: string
  /** The public address of the request, as the page has called it. Its query does not count. */
  url: string
}

const ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA']
/** How old a proof may be, and how far two clocks may differ. It is the time that Saoma gives. */
const WINDOW_SECONDS = 300
/** Proofs that this process remembers, which is about 1 MB. */
const MOST = 10_000

const bare = (address: string): string | undefined => {
  try {
    const { origin, pathname } = new URL(address)
    return origin + pathname
  } catch {
    return undefined
  }
}

/** Remembers proofs for as long as they are good. With too many of them it forgets the oldest. */
const createMemory = () => {
  const until = new Map<string, number>()
  return (id: string, exp: number, now: number): boolean => {
    const known = until.get(id)
    if (known !== undefined && known >= now) return false
    until.delete(id)
    const [oldest] = until.keys()
    if (until.size >= MOST && oldest !== undefined) until.delete(oldest)
    until.set(id, exp)
    return true
  }
}

/**
 * Returns the function that says whether a request proves the key of its token. A proof is good once in this
 * process; another process of the same backend takes it once more.
 */
export const createProofCheck = (
  date: () => Date,
): ((request: ProvenRequest, token: string, jkt: string) => Promise<boolean>) => {
  const isNew = createMemory()

  return async ({ dpop = '', method, url }, token, jkt) => {
    const verified = await jwtVerify<JWTPayload & { htm?: unknown; htu?: unknown; ath?: unknown }>(dpop, EmbeddedJWK, {
      algorithms: ALGORITHMS,
      typ: 'dpop+jwt',
      currentDate: date(),
    }).catch(() => undefined)
    if (!verified) return false
    const { jti, iat = 0, htm, htu, ath } = verified.payload
    const now = Math.floor(date().getTime() / 1_000)
    if (!jti || Math.abs(now - iat) > WINDOW_SECONDS || htm !== method) return false
    if (typeof htu !== 'string' || bare(htu) === undefined || bare(htu) !== bare(url)) return false
    if (ath !== base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)))) return false
    const { jwk } = verified.protectedHeader
    if (!jwk || (await calculateJwkThumbprint(jwk, 'sha256').catch(() => '')) !== jkt) return false
    return isNew(`${jkt} ${jti}`, iat + WINDOW_SECONDS, now)
  }
}
