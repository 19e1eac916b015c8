import proxyAddr from 'proxy-addr'
import type { Logger } from '../operate/log.ts'
import type { OnStranger } from './client-address.ts'

/** Most addresses that are remembered, because requests may come from many. */
const MOST = 64
/**
 * Anybody on the internet can send the header by hand. An address that sends it so often is a proxy. A
 * private address is a proxy at once.
 */
const OFTEN = 100
const isPrivate = proxyAddr.compile(['loopback', 'linklocal', 'uniquelocal', '100.64.0.0/10'])

/**
 * Warns about an untrusted proxy, once for each address. All clients of such a proxy count as one visitor, so
 * the limits for one visitor refuse many.
 */
export const warnOfStrangers = (log: Pick<Logger, 'warn'>): OnStranger => {
  const seen = new Map<string, number>()
  return (address, setting) => {
    const times = (seen.get(address) ?? 0) + 1
    if (times > OFTEN || (times === 1 && seen.size === MOST)) return
    seen.set(address, isPrivate(address, 0) ? OFTEN + 1 : times)
    if (times < OFTEN && !isPrivate(address, 0)) return
    log.warn(
      { event: 'proxy', address, setting },
      `${address} forwards requests (X-Forwarded-For) but is not trusted, so all its clients count as one visitor. If it is your proxy, add its network to ${setting}`,
    )
  }
}
