import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** A webhook is valid for this long, so a recorded one cannot be replayed later. */
const MAX_AGE_SECONDS = 300
const HEADER = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/

const mac = (secret: string, time: number, body: Buffer): Buffer =>
  createHmac('sha256', secret).update(`${time}.`).update(body).digest()

const nowSeconds = (): number => Math.floor(Date.now() / 1_000)

/** The value of `X-Courier-Signature` for a body: time and HMAC-SHA-256 over time and body. */
export const sign = (secret: string, body: Buffer, time = nowSeconds()): string =>
  `t=${time},v1=${mac(secret, time, body).toString('hex')}`

/** Whether the body was signed with the secret recently. The comparison takes constant time. */
export const isSigned = (secret: string, body: Buffer, header: string): boolean => {
  const [, time, signature] = HEADER.exec(header) ?? []
  if (!time || !signature) return false
  const fits = timingSafeEqual(mac(secret, Number(time), body), Buffer.from(signature, 'hex'))
  return fits && Math.abs(nowSeconds() - Number(time)) <= MAX_AGE_SECONDS
}

/** Compares two secrets of any lengths in constant time. */
export const isSameSecret = (given: string, expected: string): boolean => {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(expected))
}
