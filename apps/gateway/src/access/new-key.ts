import { createHash, randomBytes } from 'node:crypto'
import { API_KEY_PREFIX } from './api-keys.ts'

const KEY_BYTES = 32

/** A new key of this name, and its SHA-256 in hex. */
export const drawKey = (name: string): { secret: string; sha256: string } => {
  const secret = `${API_KEY_PREFIX}${name}_${randomBytes(KEY_BYTES).toString('base64url')}`
  return { secret, sha256: createHash('sha256').update(secret).digest('hex') }
}
