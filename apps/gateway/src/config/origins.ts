import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from './config.ts'

/** Whether a host is this machine itself. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)

/** Who may call us, by the `Origin` of a request. */
export interface Origins {
  /**
   * Whether its pages may read our answers. In demo mode the machine's other names for itself count as its
   * own.
   */
  allows(origin: string): boolean
  /**
   * Whether a request may come in: it is no page's or an allowed one's, or it has what WeChat puts into a
   * mini-program's, which can neither set nor leave it out. A mini-program has no cookies, so what has one is
   * a browser's; and where there is neither WeChat nor a demo phone, nobody comes that way.
   */
  admits(headers: Pick<IncomingHttpHeaders, 'origin' | 'cookie'>): boolean
}

/**
 * What WeChat's runtimes send, which no web page has: a browser writes the Origin itself, and puts no comma
 * into it. docs/surprises.md says which of them sends what.
 */
const MINI_PROGRAM = /^(https:\/\/servicewechat\.com|weapp:\/\/[a-z0-9.-]+|https?:\/\/[^\s,/]+,\s*(undefined|null))$/

export const createOrigins = (
  config: Pick<Config, 'origin' | 'allowedOrigins' | 'demo'> & { wechat?: unknown },
): Origins => {
  const { origin: own, allowedOrigins, demo } = config
  const known = new Set([own, ...allowedOrigins])
  const { port, hostname } = new URL(own)
  const hasPhones = demo || config.wechat !== undefined
  const allows = (origin: string): boolean => {
    if (known.has(origin)) return true
    if (!demo || !isLoopback(hostname) || !URL.canParse(origin)) return false
    const asking = new URL(origin)
    return isLoopback(asking.hostname) && asking.port === port
  }
  return {
    allows,
    admits: ({ origin, cookie }) =>
      !origin || allows(origin) || (hasPhones && cookie === undefined && MINI_PROGRAM.test(origin)),
  }
}
