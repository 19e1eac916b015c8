import proxyAddr from 'proxy-addr'
import type { Logger } from '../operate/log.ts'
import type { OnStranger } from './client-address.ts'

/** Addresses that are remembered: somebody may send from many. */
const MOST = 64
/**
 * Anybody in the internet may send the header by hand; what does so again and again is a proxy. Nobody's hand
 * has a private address.
 */
const OFTEN = 100
const isPrivate = proxyAddr.compile(['loopback', 'linklocal', 'uniquelocal', '100.64.0.0/10'])

/**
 * A proxy in front that nobody told us of makes all who come through it one visitor, so that limits refuse
 * the many for what one may do. Says so in the log, once for each address.
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
      `${address} passes on requests of others (X-Forwarded-For) and is not trusted: all of them count as one visitor. If it is your proxy, put its network into ${setting}`,
    )
  }
}
