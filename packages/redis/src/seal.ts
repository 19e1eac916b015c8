import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, errors } from 'jose'

/** Encrypts small texts for Redis under a configured secret (JWE, A256GCM). */
export interface Seal {
  close(text: string): Promise<string>
  /** Undefined for what none of the secrets, or nobody, has sealed. */
  open(sealed: string): Promise<string | undefined>
}

export interface SealOptions {
  /** The first one encrypts. All are tried when reading, so that a secret can be replaced without a loss. */
  secrets: readonly [string, ...string[]]
  /** What it is for: the same secret has another key for something else. */
  purpose: string
  /** Whose it is, where several use one secret. @default '' */
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
          if (!(error instanceof errors.JOSEError)) throw error
        }
      }
      return undefined
    },
  }
}
