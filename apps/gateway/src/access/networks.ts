import ipaddr from 'ipaddr.js'

/**
 * The network that limits count as one visitor: an IPv4 address or an IPv6 /64. The owner of one IPv6 address
 * has all 2^64 addresses of its network.
 */
export const networkOf = (address: string): string => {
  if (!ipaddr.IPv6.isValid(address)) return address
  return ipaddr.IPv6.parse(address).parts.slice(0, 4).join(':')
}

/** The wide network, which one owner of many networks may have: an IPv6 /48 or an IPv4 /24. */
export const wideNetworkOf = (address: string): string => {
  if (ipaddr.IPv6.isValid(address)) return ipaddr.IPv6.parse(address).parts.slice(0, 3).join(':')
  return address.split('.').slice(0, 3).join('.')
}
