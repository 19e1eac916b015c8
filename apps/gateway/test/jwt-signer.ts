import {
  CompactSign,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose'

/** The issuer of a business, as a test's settings name it. */
export const ISSUER = 'https://login.business.example'
export const AUDIENCE = 'https://live.business.example'

/** A signing key of a business. */
export interface JwtSigner {
  /** The public key, as the business publishes it. */
  jwk: JWK
  /** Signs a good token of `anna`, except for what is given. A claim that is undefined is left out. */
  sign(claims?: Record<string, unknown>, header?: Partial<JWTHeaderParameters>): Promise<string>
  /** Signs claims as they are written. */
  signText(claims: string): Promise<string>
}

export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds

export const createJwtSigner = async (kid: string, alg = 'ES256'): Promise<JwtSigner> => {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    sign: (claims = {}, header = {}) => {
      const all = { iss: ISSUER, aud: AUDIENCE, sub: 'anna', iat: inSeconds(0), exp: inSeconds(600), ...claims }
      return new SignJWT(all as JWTPayload).setProtectedHeader({ alg, kid, ...header }).sign(privateKey)
    },
    signText: (claims) =>
      new CompactSign(new TextEncoder().encode(claims)).setProtectedHeader({ alg, kid }).sign(privateKey),
  }
}
