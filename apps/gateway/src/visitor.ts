import type { IncomingMessage } from 'node:http'
import type { LoginRequest } from '@saoma/protocol'
import Bowser from 'bowser'
import proxyAddr from 'proxy-addr'

/** The address a request came from: what a trusted proxy says it is, or the peer itself. */
export const createAddressReader = (trustedProxies: readonly string[]) => {
  const trust = proxyAddr.compile([...trustedProxies])
  return (req: IncomingMessage): string => proxyAddr(req, trust).replace(/^::ffff:/, '')
}

const LONGEST_USER_AGENT = 512

/** Browser and system as the user agent claims them: shown to the person, never trusted. */
export const describeUserAgent = (userAgent: string | undefined): Pick<LoginRequest, 'browser' | 'os'> => {
  if (!userAgent) return { browser: '', os: '' }
  const { browser, os } = Bowser.parse(userAgent.slice(0, LONGEST_USER_AGENT))
  const major = browser.version?.split('.')[0]
  return {
    browser: [browser.name, major].filter(Boolean).join(' '),
    os: [os.name, os.versionName ?? os.version].filter(Boolean).join(' '),
  }
}
