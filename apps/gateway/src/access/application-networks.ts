import ipaddr from 'ipaddr.js'

/** Whether an address may be called on behalf of an application. */
export type MayCall = (address: string) => boolean

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Network = [Address, number]

/** The least bits of a network that an operator may name: those of 10.0.0.0/8 and fc00::/7. */
const LEAST_BITS = { ipv4: 8, ipv6: 7 } as const

/** Bits of an IPv6 address in front of the IPv4 address that it stands for. */
const MAPPED_BITS = 96

const parse = (text: string): Network | undefined => {
  if (text.includes('/')) return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined
  if (!ipaddr.isValid(text)) return undefined
  const address = ipaddr.parse(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

/** A network, or an address that stands for itself. Those that stand for IPv4 are IPv4. */
const networkIn = (text: string): Network | undefined => {
  const network = parse(text)
  if (!network) return undefined
  const [address, bits] = network
  if (address.kind() === 'ipv4' || !(address as ipaddr.IPv6).isIPv4MappedAddress() || bits < MAPPED_BITS) return network
  return [(address as ipaddr.IPv6).toIPv4Address(), bits - MAPPED_BITS]
}

/** Whether a setting may name this: an address, or a network that is no wider than the private ones. */
export const isPrivateNetwork = (text: string): boolean => {
  const [address, bits] = networkIn(text) ?? []
  // `ipaddr.js` reads 10.1 and 0x7f000001 as addresses, too. Nobody should have to know that.
  const isPlain = /^(\d+\.\d+\.\d+\.\d+|[0-9a-f:]*:[0-9a-f:.]*)(\/\d+)?$/i.test(text)
  return isPlain && address !== undefined && bits !== undefined && bits >= LEAST_BITS[address.kind()]
}

/**
 * What no setting opens: addresses at which clouds tell a machine its secrets, of this machine's own network,
 * and those of nobody and of everybody.
 */
const NEVER = [
  ...['0.0.0.0/8', '169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'],
  ...['224.0.0.0/4', '255.255.255.255/32', '::/128', 'fe80::/10', 'fd00:ec2::/32', 'fd20:ce::254/128', 'ff00::/8'],
]
/** IPv6 addresses of the internet. Everything outside has a purpose of its own, or none yet. */
const GLOBAL: Network = [ipaddr.IPv6.parse('2000::'), 3]

const lies = (address: Address, [network, bits]: Network): boolean =>
  address.kind() === network.kind() && address.match(network as never, bits)

/**
 * Which addresses may be called on behalf of an application: those of the internet, and those of networks
 * that the operator names. Else anybody who registers an application could have nodes call what only they can
 * reach. An IPv6 address that stands for an IPv4 one (`::ffff:10.0.0.1`) is that one.
 *
 * @param networks  such as `10.0.0.0/8`
 */
export const createMayCall = (networks: readonly string[]): MayCall => {
  const networksOf = (all: readonly string[]): Network[] =>
    all.flatMap((text) => {
      const network = networkIn(text)
      return network ? [network] : []
    })
  const never = networksOf(NEVER)
  const named = networksOf(networks)
  return (text) => {
    // A scope (`fe80::1%eth0`) belongs to addresses that are refused anyway.
    if (!ipaddr.isValid(text)) return false
    const address = ipaddr.process(text)
    if (never.some((network) => lies(address, network))) return false
    if (named.some((network) => lies(address, network))) return true
    return address.range() === 'unicast' && (address.kind() === 'ipv4' || lies(address, GLOBAL))
  }
}
