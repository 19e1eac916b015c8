import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomFillSync } from 'node:crypto'
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

const keysOf = ({ secrets, purpose, owner = '' }: SealOptions): Uint8Array[] =>
  secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, owner, purpose, 32)))

export const createSeal = (options: SealOptions): Seal => {
  const keys = keysOf(options)
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

/**
 * The same for very many short texts: without a header, and without a turn of the event loop, which cost more
 * than the encryption itself.
 */
export interface QuickSeal {
  /** In base64url: 12 random bytes, the tag of 16, and the ciphertext. */
  close(text: string): string
  /** Undefined for text that was not sealed by any of the secrets. */
  open(sealed: string): string | undefined
}

const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16

/** Random bytes that are drawn at once: to draw a few costs as much. */
const POOL_BYTES = 256 * IV_BYTES

export const createQuickSeal = (options: SealOptions): QuickSeal => {
  const keys = keysOf(options).map((key) => createSecretKey(key))
  const [present] = keys
  if (!present) throw new TypeError('a seal needs a secret')
  const pool = Buffer.alloc(POOL_BYTES)
  let used = POOL_BYTES
  const drawIv = (): Buffer => {
    if (used === POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    used += IV_BYTES
    return Buffer.from(pool.subarray(used - IV_BYTES, used))
  }
  return {
    close: (text) => {
      const iv = drawIv()
      const cipher = createCipheriv(CIPHER, present, iv)
      const parts = [cipher.update(text, 'utf8'), cipher.final()]
      return Buffer.concat([iv, cipher.getAuthTag(), ...parts]).toString('base64url')
    },
    open: (sealed) => {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < IV_BYTES + TAG_BYTES) return undefined
      for (const key of keys) {
        const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
        decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        try {
          return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
        } catch {
          // Another secret has sealed it, or it was changed.
        }
      }
      return undefined
    },
  }
}
