import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import type { Finding } from './finding.ts'

const DAY_MS = 86_400_000
/** Two weeks are left when an automatic renewal has failed a week long. */
const SOON_DAYS = 21

/** What a server showed in its TLS handshake. */
export interface Shown {
  certificate: PeerCertificate
  /** Code of OpenSSL for what is wrong with its chain; undefined if nothing is. */
  fault?: string
}

const code = 'origin-certificate'
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
const nameOf = (value: string | string[] | undefined): string => [value ?? 'an unknown authority'].flat().join(', ')
const FULL_CHAIN =
  'Let the proxy send the full chain (fullchain.pem, not cert.pem). If the authority is your own, run the doctor with NODE_EXTRA_CA_CERTS, and install its certificate on all phones and browsers.'

/** A sentence for a fault of the chain. */
const ofChain = (host: string, fault: string, { issuer }: PeerCertificate): Finding => {
  const by = nameOf(issuer?.O ?? issuer?.CN)
  switch (fault) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return {
        code,
        level: 'error',
        says: `The certificate of ${host} is self-signed, so no browser and no phone trusts it.`,
        todo: 'Take a certificate of a public authority, such as Let’s Encrypt.',
      }
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return {
        code,
        level: 'error',
        says: `The certificate of ${host} is of the authority "${by}", which this machine does not trust.`,
        todo: 'Take a certificate of a public authority. If the authority is your own, run the doctor with NODE_EXTRA_CA_CERTS, and install its certificate on all phones and browsers.',
      }
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return {
        code,
        level: 'error',
        says: `The chain of the certificate of ${host} is incomplete: the certificate of "${by}", which signed it, was not sent and is not known here.`,
        todo: FULL_CHAIN,
      }
    case 'CERT_HAS_EXPIRED':
      return {
        code,
        level: 'error',
        says: `A certificate in the chain of ${host} has expired, though that of ${host} itself has not.`,
        todo: 'Let the proxy send the chain that came with the last renewal.',
      }
    default:
      return {
        code,
        level: 'error',
        says: `The certificate of ${host} is not accepted (${fault}).`,
        todo: 'Look up this word of OpenSSL, and replace the certificate.',
      }
  }
}

/**
 * What is wrong with the certificate that a host showed, or how long it is valid.
 *
 * @param now  milliseconds since 1970
 */
export const judgeCertificate = (host: string, { certificate, fault }: Shown, now: number): Finding[] => {
  const findings: Finding[] = []
  const from = Date.parse(certificate.valid_from)
  const until = Date.parse(certificate.valid_to)
  const isPast = now > until
  const isEarly = now < from
  if (checkServerIdentity(host, certificate))
    findings.push({
      code,
      level: 'error',
      says: `The certificate at ${host} is for another name (${certificate.subjectaltname ?? nameOf(certificate.subject?.CN)}).`,
      todo: `Take a certificate for ${host}, or look whether the proxy shows the one of another site.`,
    })
  if (isPast)
    findings.push({
      code,
      level: 'error',
      says: `The certificate of ${host} has expired on ${day(until)}.`,
      todo: 'Renew it, and let the proxy read it anew.',
    })
  if (isEarly)
    findings.push({
      code,
      level: 'error',
      says: `The certificate of ${host} is not valid before ${day(from)}, or the clock of this machine is slow.`,
      todo: 'Compare the clock of this machine, then the certificate.',
    })
  const isOfTime = (isPast && fault === 'CERT_HAS_EXPIRED') || (isEarly && fault === 'CERT_NOT_YET_VALID')
  if (fault && !isOfTime) findings.push(ofChain(host, fault, certificate))
  if (findings.length > 0) return findings

  const days = Math.floor((until - now) / DAY_MS)
  if (days < SOON_DAYS)
    return [
      {
        code,
        level: 'warning',
        says: `The certificate of ${host} expires in ${days} days, on ${day(until)}.`,
        todo: 'Renew it. If that happens by itself, look why it did not.',
      },
    ]
  return [{ code, level: 'ok', says: `The certificate of ${host} is valid for ${days} more days.` }]
}
