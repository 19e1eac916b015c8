import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/**
 * What one account key does: it names identities without revealing them, and encrypts what accounts hold.
 * Both are synchronous and take some microseconds, because an import does them a million times.
 */
export interface Box {
  /** An HMAC of a text, in 43 characters. */
  name(text: string): string
  /** Encrypts a text (AES-256-GCM). It opens only with the same `place`, such as its account. */
  seal(text: string, place: string): string
  /** Undefined if another key has sealed the text, or for another place, or if it was altered. */
  open(sealed: string, place: string): string | undefined
}

/** Bytes of an account key. */
export const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

export const createBox = (key: Uint8Array): Box => {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', key, '', purpose, 32))
  const [naming, sealing] = [derive('saoma account links'), derive('saoma account contents')]

  return {
    name: (text) => createHmac('sha256', naming).update(text).digest('base64url'),
    seal: (text, place) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(place))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')
    },
    open: (sealed, place) => {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
      const [nonce, tag] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)]
      try {
        const cipher = createDecipheriv('aes-256-gcm', sealing, nonce, { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(place))
          .setAuthTag(tag)
        return Buffer.concat([cipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), cipher.final()]).toString()
      } catch {
        return undefined
      }
    },
  }
}
