import type { Finding } from './finding.ts'
import { error, ok, warning } from './findings.ts'

const DAY_MS = 86_400_000
/** Time enough to renew one by hand. */
const SOON_DAYS = 14

/**
 * Judges the end of a certificate. @param whose  the beginning of a sentence, such as `The certificate of …`
 */
export const judgeCertificate = (whose: string, validTo: string, todo: string): Finding[] => {
  const end = Date.parse(validTo)
  if (Number.isNaN(end)) return []
  const days = Math.floor((end - Date.now()) / DAY_MS)
  const on = new Date(end).toISOString().slice(0, 10)
  if (days < 0) return [error('redis-certificate', `${whose} ended on ${on}.`, todo)]
  const says = `${whose} is good until ${on}, for ${days} more days.`
  return [days < SOON_DAYS ? warning('redis-certificate', says, todo) : ok('redis-certificate', says)]
}
