import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from './cleanup.ts'

/** A certificate authority for tests. Nobody else trusts its certificates. */
export interface Authority {
  /** Path of its own certificate, a PEM file. */
  readonly caFile: string
  /** Issues a certificate for these host names and addresses. */
  issue(hosts: readonly string[], validity?: Validity): Certificate
}

/** Paths of PEM files. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

export interface Validity {
  /** @default a day from now */
  until?: Date
}

const DAY_MS = 24 * 3_600_000

/** Encodes DER: a tag, a length and the content. RFC 5280 defines the content. */
const der = (tag: number, ...content: Uint8Array[]): Buffer => {
  const body = Buffer.concat(content)
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body])
}
const sequence = (...content: Uint8Array[]) => der(0x30, ...content)
const oid = (...bytes: number[]) => der(0x06, Buffer.from(bytes))
const octets = (content: Uint8Array) => der(0x04, content)
const bits = (content: Uint8Array) => der(0x03, Buffer.from([0]), content)
const yes = der(0x01, Buffer.from([0xff]))
const text = (value: string) => der(0x0c, Buffer.from(value))
/** A positive number: the first byte is neither padding nor a sign. */
const serial = () => der(0x02, Buffer.from([1]), randomBytes(12))
const time = (date: Date) => der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`))

const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
const commonName = oid(0x55, 0x04, 0x03)
const subjectKeyId = oid(0x55, 0x1d, 0x0e)
const authorityKeyId = oid(0x55, 0x1d, 0x23)
const subjectAltName = oid(0x55, 0x1d, 0x11)
const basicConstraints = oid(0x55, 0x1d, 0x13)
const keyUsage = oid(0x55, 0x1d, 0x0f)
/** keyCertSign: bit 5 of a bit string that has two unused bits. */
const signsCertificates = der(0x03, Buffer.from([2, 4]))
const named = (name: string) => sequence(der(0x31, sequence(commonName, text(name))))

const addressBytes = (address: string): Buffer => {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const groups = (part: string) => part.split(':').filter(Boolean)
  const gap = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => '0')
  const all = address.includes('::') ? [...groups(head), ...gap, ...groups(tail)] : groups(address)
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}
const altName = (host: string) => (isIP(host) ? der(0x87, addressBytes(host)) : der(0x82, Buffer.from(host)))

interface Wanted {
  subject: string
  issuer: string
  publicKey: KeyObject
  issuerKey: { privateKey: KeyObject; publicKey: KeyObject }
  until: Date
  extensions: Buffer[]
}

const pem = (kind: string, content: Buffer): string =>
  `-----BEGIN ${kind}-----\n${content.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${kind}-----\n`

const idOf = (key: KeyObject): Buffer =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()

const certificate = ({ subject, issuer, publicKey, issuerKey, until, extensions }: Wanted): string => {
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    serial(),
    ecdsaWithSha256,
    named(issuer),
    sequence(time(new Date(Math.min(Date.now(), until.getTime()) - DAY_MS)), time(until)),
    named(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        sequence(subjectKeyId, octets(octets(idOf(publicKey)))),
        sequence(authorityKeyId, octets(sequence(der(0x80, idOf(issuerKey.publicKey))))),
        ...extensions,
      ),
    ),
  )
  return pem('CERTIFICATE', sequence(body, ecdsaWithSha256, bits(sign('sha256', body, issuerKey.privateKey))))
}

/** A folder for PEM files. */
const createFolder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'saoma-certificates-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return (name: string, content: string): string => {
    const file = join(dir, name)
    writeFileSync(file, content, { mode: 0o600 })
    return file
  }
}

const altNamesOf = (hosts: readonly string[]): Buffer[] =>
  hosts.length > 0 ? [sequence(subjectAltName, octets(sequence(...hosts.map(altName))))] : []
const pemOf = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }))

/** A certificate without an authority, which signs itself. */
export const createSelfSigned = (hosts: readonly string[]): Certificate => {
  const write = createFolder()
  const issuerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = hosts[0] ?? 'nobody'
  const until = new Date(Date.now() + DAY_MS)
  const { publicKey } = issuerKey
  return {
    certFile: write(
      'cert.pem',
      certificate({ subject, issuer: subject, publicKey, issuerKey, until, extensions: altNamesOf(hosts) }),
    ),
    keyFile: write('key.pem', pemOf(issuerKey.privateKey)),
  }
}

/** Creates an authority with Node alone: not every machine with Redis has the openssl program. */
export const createAuthority = (): Authority => {
  const write = createFolder()
  const issuerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = 'Saoma tests'
  const caFile = write(
    'ca.pem',
    certificate({
      subject: issuer,
      issuer,
      publicKey: issuerKey.publicKey,
      issuerKey,
      until: new Date(Date.now() + DAY_MS),
      extensions: [
        sequence(basicConstraints, yes, octets(sequence(yes))),
        sequence(keyUsage, yes, octets(signsCertificates)),
      ],
    }),
  )
  let issued = 0
  return {
    caFile,
    issue: (hosts, { until = new Date(Date.now() + DAY_MS) } = {}) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      issued++
      return {
        certFile: write(
          `${issued}.pem`,
          certificate({
            subject: hosts[0] ?? 'nobody',
            issuer,
            publicKey,
            issuerKey,
            until,
            extensions: altNamesOf(hosts),
          }),
        ),
        keyFile: write(`${issued}-key.pem`, pemOf(privateKey)),
      }
    },
  }
}
