import ipaddr from 'ipaddr.js'
import proxyAddr from 'proxy-addr'
import type { Check } from './check.ts'
import { type Diagnosed, diagnose, isUnknown } from './diagnose.ts'
import type { Finding } from './finding.ts'
import { distrust, originOf } from './presence.ts'

/** An address for documentation (RFC 5737), which nobody has. */
export const FORGED = '203.0.113.7'
/** Another address of this machine than the one that a proxy on it has. Not every system has it. */
const ANOTHER_SELF = '127.0.0.2'
const FRONT = 'docs/front.md has an example for each proxy.'

const INSIDE: readonly string[] = ['private', 'loopback', 'linkLocal', 'uniqueLocal', 'carrierGradeNat']

/** Whether an address is of a network that is not public. */
const isInside = (address: string): boolean =>
  ipaddr.isValid(address) && INSIDE.includes(ipaddr.process(address).range())

/** Networks of which one machine mostly sees one alone: its own, or that of its container. */
const BLOCKS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'].map((block) =>
  ipaddr.parseCIDR(block),
)

/** Whether two addresses are of one kind of private network. */
const areNear = (one: string, other: string): boolean =>
  [one, other].every(ipaddr.isValid) &&
  BLOCKS.some(([network, bits]) =>
    [one, other].every((address) => {
      const parsed = ipaddr.process(address)
      return parsed.kind() === network.kind() && parsed.match(network, bits)
    }),
  )

/** What was asked, and how the nodes saw it. */
export interface Seen {
  origin: string
  trustedProxies: readonly string[]
  /** A request without a forwarded address. */
  plain: Diagnosed
  /** The address that the nodes saw in a request that claims to come from FORGED. */
  forgedIp: string
}

const judgeHost = ({ origin, plain }: Seen): Finding[] => {
  const { host } = new URL(origin)
  const seen = plain.diagnosis.host
  if (seen === host) return []
  return [
    {
      code: 'forwarded-host',
      level: 'error',
      says: `The nodes are asked for the host ${seen || '(none)'} instead of ${host}, so they redirect pages to ${origin} again and again.`,
      todo: 'Let the proxy pass Host on (nginx: proxy_set_header Host $http_host).',
    },
  ]
}

const judgeAddress = ({ trustedProxies, plain, forgedIp }: Seen): Finding => {
  const { diagnosis, own, peer } = plain
  const { ip, untrusted } = diagnosis
  const believes = forgedIp === FORGED
  const here = own === ip
  // On one machine, or where this machine is the proxy, both have the same address.
  const cannotTell = own === peer
  /** Asked at a public address, and seen as another private one: what a router or Docker does. */
  const isTurned = !here && isInside(ip) && !isInside(peer)
  const isProxys = ip === peer && !here
  const isTrusted = ipaddr.isValid(ip) && proxyAddr.compile([...trustedProxies])(ip, 0)
  if (untrusted)
    return {
      code: 'forwarded-untrusted',
      level: 'error',
      says: `A proxy at ${untrusted.address} passes requests on, and ${untrusted.setting} does not name it, so all its visitors count as one.`,
      todo: `Add its network to ${untrusted.setting}. ${FRONT}`,
    }
  if (believes && (!isInside(ip) || !(here || cannotTell || (isTurned && areNear(own, ip)))))
    return {
      code: 'forwarded-forged',
      level: 'error',
      says: `The nodes believe an X-Forwarded-For that this machine made up, so anybody can pass for any address and evade the limits.`,
      todo: `Let the outermost proxy add to the header or replace it, and let NGINX_TRUST and SAOMA_TRUSTED_PROXIES name proxies only. ${FRONT}`,
    }
  if (believes)
    return {
      code: 'forwarded-forged',
      level: 'skipped',
      says: `Whether strangers can make up their address was not tried: this machine (${ip}) is in a network of trusted proxies.`,
      todo: 'Run the doctor on a machine outside of your network.',
    }
  const code = 'forwarded-address'
  // A machine with a public address is not turned round, and no visitor has a public address that is trusted.
  if (isProxys || (!here && !isInside(peer) && isTrusted && !(isInside(ip) && isInside(own))))
    return {
      code,
      level: 'error',
      says: `The nodes see this machine as ${ip}, which is a proxy’s address, so all visitors count as one.`,
      todo: `Let the proxy send X-Forwarded-For, and name its network in NGINX_TRUST. ${FRONT}`,
    }
  if (cannotTell)
    return {
      code,
      level: 'skipped',
      says: `How the nodes see visitors was not tried: this machine and the proxy have the same address (${own}).`,
      todo: 'Run the doctor on another machine.',
    }
  if (isTurned)
    return areNear(own, ip)
      ? {
          code,
          level: 'skipped',
          says: `How the nodes see visitors was not tried: they see this machine (${own}) as ${ip}, as a router or Docker does with machines in its own network.`,
          todo: 'Run the doctor on a machine outside of the network of the nodes. If it is the same there, a proxy does not say who asks.',
        }
      : {
          code,
          level: 'warning',
          says: `The nodes see this machine (${own}) as ${ip}: it is inside of their network, or a proxy does not say who asks.`,
          todo: `Run the doctor on a machine outside of the network of the nodes. If this one is, let the proxy send X-Forwarded-For, and name its network in NGINX_TRUST. ${FRONT}`,
        }
  if (isInside(peer) && !here)
    return {
      code,
      level: 'warning',
      says: `The nodes see this machine as ${ip}, though it asks from ${own}.`,
      todo: 'From this machine Docker or a gateway may change the address. Run the doctor on another machine: if it is the same there, a proxy does not say who asks.',
    }
  return {
    code,
    level: 'ok',
    says: `The nodes see this machine as ${ip}, and believe no X-Forwarded-For that it makes up.`,
  }
}

/** Judges how the nodes see visitors. */
export const judgeForwarded = (seen: Seen): Finding[] => [judgeAddress(seen), ...judgeHost(seen)]

/** Whether nodes see visitors as they are, and believe only trusted proxies. */
export const forwarded: Check = {
  name: 'forwarded',
  run: async (subject) => {
    const code = 'forwarded'
    const what = 'X-Forwarded-For was not tried'
    const missing = await distrust(code, what, subject)
    if (missing) return [missing]
    const { config, signal } = subject
    if (!config)
      return [
        {
          code,
          level: 'skipped',
          says: `${what}: nodes tell how they see a request only to who knows SAOMA_SECRET.`,
          todo: 'Run the doctor with the settings of a node, for example with --env-file.',
        },
      ]
    const { secrets, trustedProxies } = config
    const origin = originOf(subject) ?? ''
    const first = await diagnose(origin, { signal, secrets })
    if (!('diagnosis' in first))
      return [
        {
          code,
          level: 'skipped',
          says: `${what}: the node ${first.node ?? 'behind the origin'} does not tell how it sees a request (${first.why}).`,
          todo: isUnknown(first)
            ? 'Compare SAOMA_SECRET with that of the nodes. Nodes of a former version, or with a clock that is a minute off, refuse too.'
            : first.status === undefined
              ? 'Synchronise the clocks (NTP) if they are apart, and run the doctor again.'
              : 'Run the doctor again in a minute, and ask /readyz of the nodes.',
        },
      ]
    const isLocal = /^127\./.test(first.peer)
    const other = isLocal ? await diagnose(origin, { signal, secrets, localAddress: ANOTHER_SELF }) : undefined
    const from = other && 'diagnosis' in other ? { localAddress: ANOTHER_SELF } : {}
    const plain = other && 'diagnosis' in other ? other : first
    const headers = { 'X-Forwarded-For': FORGED }
    const forged = await diagnose(origin, { signal, secrets, headers, ...from })
    if (!('diagnosis' in forged))
      return [
        {
          code,
          level: 'skipped',
          says: `${what}: a request with a made-up one is not answered by a node (${forged.why}).`,
          todo: 'Run the doctor again. Some firewalls for web applications refuse such requests, which is well.',
        },
      ]
    return judgeForwarded({ origin, trustedProxies, plain, forgedIp: forged.diagnosis.ip })
  },
}
