import { hash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose'
import * as v from 'valibot'

/** The proof that a request's sender has a key (RFC 9449). */
export interface KeyProof {
  /** The header `DPoP`. */
  jwt: string
  /**
   * Method and address of the request, without query. A socket's proof has GET and the address of its door:
   * `/socket.io/` or `/ws`.
   */
  method: string
  url: string
}

/** The algorithms that oidc-provider takes at the token endpoint, too. */
const ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA']
/**
 * How old a proof may be, and how far the clocks of two machines may differ. It is that of oidc-provider at
 * the token endpoint: a browser whose proofs count there must not be refused here.
 */
const WINDOW_SECONDS = 300

const Claims = v.object({
  jti: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  iat: v.number(),
  htm: v.string(),
  htu: v.string(),
  ath: v.optional(v.string()),
})

/** An address without what a proof does not name. */
const bare = (address: string): string | undefined => {
  const url = URL.parse(address)
  return url ? `${url.origin}${url.pathname}` : undefined
}

/** What a proof says. It counts once, so its id has to be remembered until that time. */
export interface Proven {
  /** Thumbprint of the key. */
  jkt: string
  id: string
  /** Seconds since the epoch. */
  until: number
}

/**
 * Reads the proof of a request. Undefined if it does not fit the request, or is of another time.
 *
 * @param token  what the proof has to name. Without it the request gets a token
 */
export const readProof = async ({ jwt, method, url }: KeyProof, token?: string): Promise<Proven | undefined> => {
  const verified = await jwtVerify(jwt, EmbeddedJWK, { algorithms: ALGORITHMS, typ: 'dpop+jwt' }).catch(() => undefined)
  const claims = v.safeParse(Claims, verified?.payload)
  if (!verified || !claims.success) return undefined
  const { jti: id, iat, htm, htu, ath } = claims.output
  const now = Math.floor(Date.now() / 1000)
  const named = bare(htu)
  if (Math.abs(now - iat) > WINDOW_SECONDS || htm !== method) return undefined
  if (named === undefined || named !== bare(url)) return undefined
  if (token !== undefined && ath !== hash('sha256', token, 'base64url')) return undefined
  const jkt = await calculateJwkThumbprint(verified.protectedHeader.jwk ?? {}, 'sha256').catch(() => undefined)
  // Of a proof that is nearly too old the time could be over before it is remembered.
  return jkt === undefined ? undefined : { jkt, id, until: Math.max(iat, now) + WINDOW_SECONDS + 1 }
}

/**
 * Whether a request proves the key of its token, once.
 *
 * @param jkt  thumbprint of the key
 * @param isNew  resolves with false if the id of the proof was used before. It has to be remembered until
 *   that time, in seconds since the epoch
 */
export const provesKey = async (
  proof: KeyProof,
  token: string,
  jkt: string,
  isNew: (id: string, until: number) => Promise<boolean>,
): Promise<boolean> => {
  const proven = await readProof(proof, token)
  return proven?.jkt === jkt && isNew(proven.id, proven.until)
}
