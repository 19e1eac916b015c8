import type { Config } from './config.ts'

/** Whether a host is this machine itself. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)

/** Who may call us, by the `Origin` of a request. */
export interface Origins {
  /** Whether it is a page's that may. In demo mode the machine's other names for itself count as its own. */
  allows(origin: string): boolean
  /**
   * Whether it is what WeChat puts into a mini-program's requests, which can neither set nor leave it out. Always false where no
   * mini-program logs in: without WeChat and demo phones.
   */
  isMiniProgram(origin: string): boolean
}

/**
 * What WeChat's runtimes send, which no web page has: a browser writes the Origin itself, and puts no comma into it.
 * docs/surprises.md says which of them sends what.
 */
const MINI_PROGRAM = /^(https:\/\/servicewechat\.com|weapp:\/\/[a-z0-9.-]+|https?:\/\/[^\s,/]+,\s*(undefined|null))$/

export const createOrigins = (
  config: Pick<Config, 'origin' | 'allowedOrigins' | 'demo'> & { wechat?: unknown },
): Origins => {
  const { origin: own, allowedOrigins, demo } = config
  const known = new Set([own, ...allowedOrigins])
  const { port, hostname } = new URL(own)
  const hasPhones = demo || config.wechat !== undefined
  return {
    allows: (origin) => {
      if (known.has(origin)) return true
      if (!demo || !isLoopback(hostname) || !URL.canParse(origin)) return false
      const asking = new URL(origin)
      return isLoopback(asking.hostname) && asking.port === port
    },
    isMiniProgram: (origin) => hasPhones && MINI_PROGRAM.test(origin),
  }
}
