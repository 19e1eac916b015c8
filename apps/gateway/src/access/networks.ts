import ipaddr from 'ipaddr.js'
import proxyAddr from 'proxy-addr'

/**
 * The network that limits count as one visitor: an IPv4 address or an IPv6 /64. The owner of one IPv6 address
 * has all 2^64 addresses of its network.
 */
export const networkOf = (address: string): string => {
  if (!ipaddr.IPv6.isValid(address)) return address
  const parsed = ipaddr.IPv6.parse(address)
  // Otherwise all of IPv4 would be one network, if a proxy writes its addresses in this form.
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString()
  return parsed.parts.slice(0, 4).join(':')
}

/**
 * The same, where somebody gets in by being in that network. What is no address is in no network (empty), so
 * that two of them are not taken for neighbours.
 */
export const proximityOf = (address: string): string =>
  ipaddr.IPv4.isValidFourPartDecimal(address) || ipaddr.IPv6.isValid(address) ? networkOf(address) : ''

/** The wide network, which one owner of many networks may have: an IPv6 /48 or an IPv4 /24. */
export const wideNetworkOf = (address: string): string => {
  if (ipaddr.IPv6.isValid(address)) return ipaddr.IPv6.parse(address).parts.slice(0, 3).join(':')
  return address.split('.').slice(0, 3).join('.')
}

/** Whether a text is an address, or a network such as `10.0.0.0/8`. */
export const isNetwork = (text: string): boolean => {
  try {
    proxyAddr.compile([text])
    return true
  } catch {
    return false
  }
}

type Judge = (address: string) => boolean
/** Lists are those of settings, so each is compiled once. */
const judges = new WeakMap<readonly string[], Judge>()

/** Whether an address is in one of these networks. */
export const isInNetworks = (networks: readonly string[], address: string): boolean => {
  let judge = judges.get(networks)
  if (!judge) {
    const trusts = proxyAddr.compile([...networks])
    judge = (from) => trusts(from, 0)
    judges.set(networks, judge)
  }
  return judge(address)
}
