import ipaddr from 'ipaddr.js'

/** Whoever has one IPv6 address has the 2^64 of its network: they count as one. */
export const networkOf = (address: string): string => {
  if (!ipaddr.IPv6.isValid(address)) return address
  return ipaddr.IPv6.parse(address).parts.slice(0, 4).join(':')
}

/** What one owner of many networks has: a /48, or an IPv4 /24. */
export const wideNetworkOf = (address: string): string => {
  if (ipaddr.IPv6.isValid(address)) return ipaddr.IPv6.parse(address).parts.slice(0, 3).join(':')
  return address.split('.').slice(0, 3).join('.')
}
