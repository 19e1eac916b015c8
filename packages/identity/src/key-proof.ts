import { hash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose'
import * as v from 'valibot'

/** The proof that a request's sender has the key of its token (RFC 9449). */
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
  ath: v.string(),
})

/** An address without what a proof does not name. */
const bare = (address: string): string | undefined => {
  const url = URL.parse(address)
  return url ? `${url.origin}${url.pathname}` : undefined
}

/**
 * Whether a request proves the key of its token, once.
 *
 * @param jkt  thumbprint of the key
 * @param isNew  resolves with false if the id of the proof was used before. It has to be remembered until
 *   that time, in seconds since the epoch
 */
export const provesKey = async (
  { jwt, method, url }: KeyProof,
  token: string,
  jkt: string,
  isNew: (id: string, until: number) => Promise<boolean>,
): Promise<boolean> => {
  const verified = await jwtVerify(jwt, EmbeddedJWK, { algorithms: ALGORITHMS, typ: 'dpop+jwt' }).catch(() => undefined)
  const claims = v.safeParse(Claims, verified?.payload)
  if (!verified || !claims.success) return false
  const { jti, iat, htm, htu, ath } = claims.output
  const now = Math.floor(Date.now() / 1000)
  if (Math.abs(now - iat) > WINDOW_SECONDS || htm !== method || bare(htu) !== bare(url)) return false
  if (ath !== hash('sha256', token, 'base64url')) return false
  if ((await calculateJwkThumbprint(verified.protectedHeader.jwk ?? {}, 'sha256').catch(() => '')) !== jkt) return false
  return isNew(jti, iat + WINDOW_SECONDS + 1)
}
