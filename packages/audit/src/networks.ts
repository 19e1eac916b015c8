import { createHmac, hkdfSync } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { fail, ok, type Result } from '@saoma/protocol'

const NETWORK = /^([0-9a-fA-F:.]{2,45})(?:\/(\d{1,3}))?$/
/** An IPv4 address as a socket of IPv6 names it. */
const MAPPED = /^::ffff:(?=\d+\.)/i

/**
 * Reads an address or a network such as `203.0.113.0/24`, and resolves with the function that says whether an
 * address is in it. INVALID for any other text.
 */
export const parseNetwork = (text: string): Result<(address: string) => boolean> => {
  const [, given = '', bits] = NETWORK.exec(text) ?? []
  const address = given.replace(MAPPED, '')
  const version = isIP(address)
  const longest = version === 4 ? 32 : 128
  const prefix = bits === undefined ? longest : Number(bits)
  if (version === 0 || prefix > longest) return fail('INVALID')
  const list = new BlockList()
  list.addSubnet(address, prefix, version === 4 ? 'ipv4' : 'ipv6')
  return ok((entry) => {
    const other = entry.replace(MAPPED, '')
    return isIP(other) === version && list.check(other, version === 4 ? 'ipv4' : 'ipv6')
  })
}

/** Letters of a hash: enough to tell the networks of one person apart. */
const LENGTH = 8

/**
 * Returns the function that names a network without telling which one it is: a keyed hash under each secret,
 * the present secret first. So no session seems to have moved when the secret is replaced.
 */
export const createNetworkNames = (secrets: readonly string[]): ((person: string, network: string) => string) => {
  const keys = secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'saoma audit networks', 32)))
  return (person, network) =>
    keys
      .map((key) => createHmac('sha256', key).update(`${person} ${network}`).digest('base64url').slice(0, LENGTH))
      .join()
}
