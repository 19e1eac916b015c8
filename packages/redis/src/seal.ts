import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, errors } from 'jose'

/** Encrypts small texts for Redis under a configured secret (JWE, A256GCM). */
export interface Seal {
  close(text: string): Promise<string>
  /** Undefined for text that was not sealed by any of the secrets. Rejects for text that is not sealed. */
  open(sealed: string): Promise<string | undefined>
}

export interface SealOptions {
  /** The first secret encrypts. All decrypt, so a secret can be replaced without loss. */
  secrets: readonly [string, ...string[]]
  /** What the seal is for. Each purpose derives another key from the same secret. */
  purpose: string
  /** The owner, where several share one secret. @default '' */
  owner?: string
}

export const createSeal = ({ secrets, purpose, owner = '' }: SealOptions): Seal => {
  const keys = secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, owner, purpose, 32)))
  return {
    close: (text) =>
      new CompactEncrypt(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(keys[0] as Uint8Array),
    open: async (sealed) => {
      for (const key of keys) {
        try {
          return new TextDecoder().decode((await compactDecrypt(sealed, key)).plaintext)
        } catch (error) {
          if (!(error instanceof errors.JWEDecryptionFailed)) throw error
        }
      }
      return undefined
    },
  }
}
