import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, errors } from 'jose'

/** Encrypts small values for storage under a configured secret (JWE, A256GCM). */
export interface Seal {
  close(value: unknown): Promise<string>
  /** Rejects with an error for the operator, code WRONG_SECRET, when none of the secrets fits. */
  open(sealed: string): Promise<unknown>
}

/**
 * @param secrets  the first one encrypts; all are tried when reading, so that a secret can be replaced
 *   without losing what it protects
 */
export const createSeal = (secrets: readonly [string, ...string[]]): Seal => {
  const keys = secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'saoma signing keys', 32)))
  return {
    close: (value) =>
      new CompactEncrypt(new TextEncoder().encode(JSON.stringify(value)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(keys[0] as Uint8Array),
    open: async (sealed) => {
      for (const key of keys) {
        try {
          return JSON.parse(new TextDecoder().decode((await compactDecrypt(sealed, key)).plaintext))
        } catch (error) {
          if (!(error instanceof errors.JWEDecryptionFailed)) throw error
        }
      }
      throw Object.assign(
        new Error(
          'SAOMA_SECRET does not open the signing keys in Redis. Name the secret they were made with in SAOMA_PREVIOUS_SECRET, or begin anew with an empty Redis.',
        ),
        { code: 'WRONG_SECRET' },
      )
    },
  }
}
