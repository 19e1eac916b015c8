import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { JWK } from 'jose'
import { ExternalSigningKey } from './oidc-provider.ts'

/**
 * A private JWK of ES256 or RS256 that signs synchronously with node:crypto. The provider's own signing sends
 * each signature to another thread and back. That costs nearly as much again as the signature, and each login
 * needs two.
 */
export class SigningKey extends ExternalSigningKey {
  readonly #kid: string | undefined
  readonly #alg: string
  readonly #private: KeyObject
  readonly #public: KeyObject

  constructor(jwk: JWK) {
    super()
    this.#kid = jwk.kid
    this.#alg = jwk.alg ?? 'ES256'
    this.#private = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
    this.#public = createPublicKey(this.#private)
  }

  override get kid() {
    return this.#kid
  }

  override get alg() {
    return this.#alg
  }

  override keyObject() {
    return this.#public
  }

  override sign(data: Uint8Array) {
    // The encoding concerns ES256 alone. An RSA key signs with the padding of RS256 (PKCS #1 v1.5).
    return sign('sha256', data, { key: this.#private, dsaEncoding: 'ieee-p1363' })
  }
}
