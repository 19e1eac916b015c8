import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from './config.ts'

/** Whether a host is a loopback name or address. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)

/** Decides who may send requests, by their `Origin` header. */
export interface Origins {
  /**
   * Whether pages of this origin may read our answers (CORS). In demo mode any loopback name of this machine
   * counts as the cluster's own origin.
   */
  allows(origin: string): boolean
  /**
   * Whether to accept a request. It is accepted if it has no `Origin`, an allowed one, or the one that WeChat
   * gives to mini-programs, which they can neither set nor omit. A mini-program sends no cookies, so a
   * request with a cookie comes from a browser. Mini-programs are accepted only with WeChat or in demo mode.
   */
  admits(headers: Pick<IncomingHttpHeaders, 'origin' | 'cookie'>): boolean
}

/**
 * The `Origin` values of WeChat's runtimes. No web page can send them: the browser writes the header, and
 * never with a comma. docs/surprises.md lists which runtime sends which.
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
