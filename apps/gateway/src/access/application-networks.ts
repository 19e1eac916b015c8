import ipaddr from 'ipaddr.js'
import { isInNetworks, isNetwork } from './networks.ts'

/** Whether an address may be called on behalf of an application. */
export type MayCall = (address: string) => boolean

/** The least bits of a network that an operator may name: those of 10.0.0.0/8 and fc00::/7. */
const LEAST_BITS = { ipv4: 8, ipv6: 7 } as const

/** Bits of an IPv6 address in front of the IPv4 address that it stands for. */
const MAPPED_BITS = 96

/** Programs also read 10.1 and 0x7f000001 as addresses. Nobody should have to know that. */
const PLAIN = /^(\d+\.\d+\.\d+\.\d+|[0-9a-f:]*:[0-9a-f:.]*)(\/\d+)?$/i

/** Whether a setting may name this: an address, or a network that is no wider than the private ones. */
export const isPrivateNetwork = (text: string): boolean => {
  if (!PLAIN.test(text) || !isNetwork(text)) return false
  if (!text.includes('/')) return true
  if (!ipaddr.isValidCIDR(text)) return false
  const [address, bits] = ipaddr.parseCIDR(text)
  const isMapped = bits >= MAPPED_BITS && (address as ipaddr.IPv6).isIPv4MappedAddress()
  return isMapped ? bits - MAPPED_BITS >= LEAST_BITS.ipv4 : bits >= LEAST_BITS[address.kind()]
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
const GLOBAL = ['2000::/3']

/**
 * Which addresses may be called on behalf of an application: those of the internet, and those of networks
 * that the operator names. Else anybody who registers an application could have nodes call what only they can
 * reach. An IPv6 address that stands for an IPv4 one (`::ffff:10.0.0.1`) is that one.
 *
 * @param networks  such as `10.0.0.0/8`
 */
export const createMayCall =
  (networks: readonly string[]): MayCall =>
  (text) => {
    // A scope (`fe80::1%eth0`) belongs to addresses that are refused anyway.
    if (!ipaddr.isValid(text)) return false
    const address = ipaddr.process(text)
    const plain = address.toString()
    if (isInNetworks(NEVER, plain)) return false
    if (isInNetworks(networks, plain)) return true
    return address.range() === 'unicast' && (address.kind() === 'ipv4' || isInNetworks(GLOBAL, plain))
  }
