import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** How far the clocks of the doctor and of a node may be apart, with the way in between. */
const VALID_MS = 60_000
const FORM = /^(\d{13})\.([A-Za-z0-9_-]{43})$/
/** Derives a key for nothing else from the secret. */
const PURPOSE = 'saoma doctor'

const macOf = (secret: string, ms: string, host: string): Buffer =>
  createHmac('sha256', Buffer.from(hkdfSync('sha256', secret, '', PURPOSE, 32)))
    .update(`saoma doctor ${ms} ${host}`)
    .digest()

/**
 * The proof of `saoma doctor` that it knows the secret of the cluster: the moment, a dot, and the HMAC-SHA256
 * of that moment and the host, with a key that is derived from the secret. The secret itself is not sent, and
 * no other cluster takes the proof.
 *
 * @param host  that of the origin, with its port if it has one
 * @param ms  milliseconds since 1970
 */
export const signDiagnosis = (secret: string, host: string, ms: number): string =>
  `${Math.round(ms)}.${macOf(secret, String(Math.round(ms)), host).toString('base64url')}`

export interface Proven {
  /** The proof was made with one of these. */
  secrets: readonly string[]
  /** The host of the cluster's origin, with its port if it has one. */
  host: string
  /** Milliseconds since 1970. The proof is at most a minute older or younger. */
  now: number
}

/** Whether a token proves that its sender knows a secret of this cluster. */
export const provesSecret = (token: string | undefined, { secrets, host, now }: Proven): boolean => {
  const [, ms = '', mac = ''] = FORM.exec(token ?? '') ?? []
  if (ms === '' || Math.abs(Number(ms) - now) > VALID_MS) return false
  const given = Buffer.from(mac, 'base64url')
  // Each secret is tried, so that the time does not tell which one fits.
  return secrets.map((secret) => timingSafeEqual(macOf(secret, ms, host), given)).includes(true)
}
