import { randomBytes } from 'node:crypto'
import type { CodeImage } from '../code-image.ts'

const KEY = /^(\d{10})-[0-9a-f]{32}\.(jpg|png)$/

/**
 * A key for a new picture. Whoever does not know it cannot fetch the picture, and so cannot see a code before
 * it is shown; it begins with the second in which it was made, for `auditPool`.
 */
export const pictureKey = (type: CodeImage['type'], now: number = Date.now()): string =>
  `${Math.floor(now / 1000)}-${randomBytes(16).toString('hex')}.${type === 'image/png' ? 'png' : 'jpg'}`

/** When the key was made, in milliseconds since 1970; undefined for a key that no pool made. */
export const pictureMadeAt = (key: string): number | undefined => {
  const [, seconds] = KEY.exec(key) ?? []
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
