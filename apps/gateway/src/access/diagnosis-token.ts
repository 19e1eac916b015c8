import { createHmac, timingSafeEqual } from 'node:crypto'

/** How far the clocks of the doctor and of a node may be apart, with the way in between. */
const VALID_MS = 60_000
const FORM = /^(\d{13})\.([A-Za-z0-9_-]{43})$/

const macOf = (secret: string, ms: string): Buffer => createHmac('sha256', secret).update(`saoma doctor ${ms}`).digest()

/**
 * The proof of `saoma doctor` that it knows the secret of the cluster: the moment, a dot, and the HMAC-SHA256
 * of that moment. The secret itself is not sent.
 *
 * @param ms  milliseconds since 1970
 */
export const signDiagnosis = (secret: string, ms: number): string =>
  `${Math.round(ms)}.${macOf(secret, String(Math.round(ms))).toString('base64url')}`

/**
 * Whether a token was made with one of the secrets, within a minute of `now`.
 *
 * @param now  milliseconds since 1970
 */
export const provesSecret = (token: string | undefined, secrets: readonly string[], now: number): boolean => {
  const [, ms = '', mac = ''] = FORM.exec(token ?? '') ?? []
  if (ms === '' || Math.abs(Number(ms) - now) > VALID_MS) return false
  const given = Buffer.from(mac, 'base64url')
  // Each secret is tried, so that the time does not tell which one fits.
  return secrets.map((secret) => timingSafeEqual(macOf(secret, ms), given)).includes(true)
}
