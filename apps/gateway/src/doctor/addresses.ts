import type { LookupAddress } from 'node:dns'
import { lookup as lookupName } from 'node:dns/promises'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ANSWER_MS, silence } from './ask.ts'
import type { Shown } from './certificate.ts'

/** Most addresses of one name that are tried. */
const MOST = 8
/** This machine cannot use such an address, for example without IPv6. That says nothing about the server. */
const NOT_FROM_HERE = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])

export type Lookup = (host: string) => Promise<readonly LookupAddress[]>

/** All addresses of a name, as browsers on this machine get them. Rejects if there are none, or no answer. */
export const lookUp: Lookup = (host) => lookupName(host, { all: true })

/** Looks a name up, and rejects if that takes too long. */
export const lookUpInTime = (lookup: Lookup, host: string, given: AbortSignal): ReturnType<Lookup> => {
  const signal = AbortSignal.any([given, AbortSignal.timeout(ANSWER_MS)])
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(Object.assign(new Error(), { code: 'ETIMEOUT' })), { once: true })
  })
  return Promise.race([lookup(host), late])
}

/** What one address of the origin does. */
export type Reached =
  | { address: string; is: 'open'; shown?: Shown }
  /** No connection. */
  | { address: string; is: 'closed'; why: string }
  /** A connection, but no TLS. */
  | { address: string; is: 'no-tls'; code: string; why: string }
  | { address: string; is: 'unusable' }

const reach = (address: string, url: URL, signal: AbortSignal): Promise<Reached> =>
  new Promise((resolve) => {
    const isSecure = url.protocol === 'https:'
    const tcp = connect({ host: address, port: Number(url.port) || (isSecure ? 443 : 80) })
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const stop = () => tcp.destroy(new Error('no answer came in time'))
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    const done = (reached: Reached) => {
      signal.removeEventListener('abort', stop)
      tcp.destroy()
      resolve(reached)
    }
    let isOpen = false
    const fail = (error: Error) => {
      const { code, why } = silence(error, signal.aborted)
      if (isOpen) return done({ address, is: 'no-tls', code, why })
      done(NOT_FROM_HERE.has(code) ? { address, is: 'unusable' } : { address, is: 'closed', why })
    }
    tcp.on('error', fail)
    tcp.on('close', () => fail(Object.assign(new Error(), { code: 'ECONNRESET' })))
    tcp.once('connect', () => {
      isOpen = true
      if (!isSecure) return done({ address, is: 'open' })
      const tls = connectTls({
        socket: tcp,
        host,
        // An address must not be named: RFC 6066 section 3.
        ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
        ALPNProtocols: ['http/1.1'],
        // What is wrong becomes a finding. Names are compared there, too.
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
      })
      tls.on('error', fail)
      tls.once('secureConnect', () => {
        const certificate = tls.getPeerCertificate()
        // The types say Error; it is the code.
        const fault = tls.authorized ? undefined : String(tls.authorizationError)
        done({ address, is: 'open', shown: { certificate, ...(fault ? { fault } : {}) } })
      })
    })
  })

/** Connects to every address of an origin at the same time. */
export const reachAll = (addresses: readonly LookupAddress[], url: URL, given: AbortSignal): Promise<Reached[]> => {
  const signal = AbortSignal.any([given, AbortSignal.timeout(ANSWER_MS)])
  return Promise.all(addresses.slice(0, MOST).map(({ address }) => reach(address, url, signal)))
}
