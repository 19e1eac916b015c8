import type { IncomingMessage } from 'node:http'
import type { LoginRequest } from '@saoma/protocol'
import Bowser from 'bowser'
import { LRUCache } from 'lru-cache'
import proxyAddr from 'proxy-addr'

/** Receives the address of an untrusted proxy, and the setting where to trust it. */
export type OnStranger = (address: string, setting: 'NGINX_TRUST' | 'SAOMA_TRUSTED_PROXIES') => void

/** Reads the client's address of a request: the one that a trusted proxy forwards, or that of the peer. */
export const createAddressReader = (trustedProxies: readonly string[], onStranger: OnStranger = () => {}) => {
  const trust = proxyAddr.compile([...trustedProxies])
  return (req: IncomingMessage): string => {
    // A closed connection has no address, whatever the types say.
    const address = ((proxyAddr(req, trust) as string | undefined) ?? '').replace(/^::ffff:/, '')
    const { 'x-saoma-untrusted': stranger, 'x-forwarded-for': forwarded } = req.headers
    if (stranger === undefined && forwarded === undefined) return address
    const isTrusted = trust(req.socket.remoteAddress ?? '', 0)
    if (isTrusted && typeof stranger === 'string') onStranger(stranger, 'NGINX_TRUST')
    else if (!isTrusted && address !== '') onStranger(address, 'SAOMA_TRUSTED_PROXIES')
    return address
  }
}

const LONGEST_USER_AGENT = 512
/** User agents that a node remembers, 0.3 MB at most. Most people have one of a few hundred. */
const MOST_USER_AGENTS = 500
const browsers = new Set(Object.values(Bowser.BROWSER_MAP))
const systems = new Set(Object.values(Bowser.OS_MAP))
const VERSION = /^[A-Za-z0-9. ]{1,12}$/

/**
 * "Chrome 126", from known names only: the creator of a code controls
 * this text, and a person reads it before confirming.
 */
const known = (names: Set<string>, name = '', version = ''): string => {
  if (!names.has(name)) return ''
  return VERSION.test(version) ? `${name} ${version}` : name
}

type Visitor = Readonly<Pick<LoginRequest, 'browser' | 'os'>>

const parse = (userAgent: string): Visitor => {
  const { browser, os } = Bowser.parse(userAgent)
  return {
    browser: known(browsers, browser.name, browser.version?.split('.')[0]),
    os: known(systems, os.name, os.versionName ?? os.version),
  }
}

/** To parse one means to try more than a hundred patterns, for each code that is asked for. */
const parsed = new LRUCache<string, Visitor>({ max: MOST_USER_AGENTS })

/** Browser and system as the user agent claims them. They are shown to the person and never trusted. */
export const describeUserAgent = (userAgent: string | undefined): Visitor => {
  if (!userAgent) return { browser: '', os: '' }
  // A long one is not remembered: its first part would keep all of it in memory.
  if (userAgent.length > LONGEST_USER_AGENT) return parse(userAgent.slice(0, LONGEST_USER_AGENT))
  const before = parsed.get(userAgent)
  if (before) return before
  const visitor = parse(userAgent)
  parsed.set(userAgent, visitor)
  return visitor
}
