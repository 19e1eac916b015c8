import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { JWK } from 'jose'
import { ExternalSigningKey } from './oidc-provider.ts'

/**
 * A private ES256 JWK that signs synchronously with node:crypto. The provider's own signing sends each
 * signature to another thread and back. That costs nearly as much again as the signature, and each login
 * needs two.
 */
export class SigningKey extends ExternalSigningKey {
  readonly #kid: string | undefined
  readonly #private: KeyObject
  readonly #public: KeyObject

  constructor(jwk: JWK) {
    super()
    this.#kid = jwk.kid
    this.#private = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
    this.#public = createPublicKey(this.#private)
  }

  override get kid() {
    return this.#kid
  }

  override get alg() {
    return 'ES256'
  }

  override keyObject() {
    return this.#public
  }

  override sign(data: Uint8Array) {
    return sign('sha256', data, { key: this.#private, dsaEncoding: 'ieee-p1363' })
  }
}
