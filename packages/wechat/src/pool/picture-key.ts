import { randomBytes } from 'node:crypto'
import type { CodeImage } from '../code-image.ts'

const KEY = /^(\d{10})-[0-9a-f]{32}\.(jpg|png)$/

/**
 * A key for a new picture. It is unguessable, so nobody can fetch a picture before it is shown. It begins
 * with the second of its creation, for `auditPool`.
 */
export const pictureKey = (type: CodeImage['type'], now: number = Date.now()): string =>
  `${Math.floor(now / 1000)}-${randomBytes(16).toString('hex')}.${type === 'image/png' ? 'png' : 'jpg'}`

/** When the key was created, in milliseconds since 1970; undefined for a key of another form. */
export const pictureMadeAt = (key: string): number | undefined => {
  const [, seconds] = KEY.exec(key) ?? []
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
