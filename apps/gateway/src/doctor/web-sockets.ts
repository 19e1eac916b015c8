import { isOfNode } from './ask.ts'
import type { Finding } from './finding.ts'
import { type Exchange, type Handshake, shakeHands } from './handshake.ts'

const code = 'websocket'

interface Fault {
  level: 'error' | 'skipped'
  /** How the sentence goes on after "WebSockets do not pass at …: ". */
  why: string
  todo: string
}

const PASS_UPGRADE =
  'Let the proxy pass the headers Upgrade and Connection on, over HTTP/1.1 (proxy_http_version 1.1). docs/front.md has examples.'

/** The doors for WebSockets, what is said there, and how a node answers a request whose Upgrade is gone. */
const doors: readonly {
  path: string
  exchange: Exchange
  isWithoutUpgrade: (status: number, body: string) => boolean
}[] = [
  {
    path: '/socket.io/?EIO=4&transport=websocket',
    exchange: [{ expect: /^0\{"sid"/ }, { send: '40/login,', expect: /^40\/login,\{"sid"/ }],
    isWithoutUpgrade: (status, body) => status === 400 && body.includes('Bad request'),
  },
  {
    path: '/ws',
    exchange: [{ send: 'ping', expect: /^pong$/ }],
    isWithoutUpgrade: (status, body) => status === 404 && body.includes('NOT_FOUND'),
  },
]

const ofStatus = (status: number, body: string, ofNode: boolean, isWithoutUpgrade: boolean): Fault => {
  if (isWithoutUpgrade || status === 426)
    return {
      level: 'error',
      why: `the header Upgrade does not reach the node, which answers with ${status}`,
      todo: PASS_UPGRADE,
    }
  if (body.includes('ORIGIN_NOT_ALLOWED'))
    return {
      level: 'error',
      why: 'the node does not allow this origin (403 ORIGIN_NOT_ALLOWED)',
      todo: 'Set SAOMA_ORIGIN of the nodes to the origin that people type, or name it in SAOMA_ALLOWED_ORIGINS.',
    }
  if (status === 429)
    return {
      level: 'skipped',
      why: 'this address has made too many handshakes (429)',
      todo: 'Wait a minute and run the doctor again. If all visitors have one address, mend X-Forwarded-For first.',
    }
  if (status === 403)
    return {
      level: 'error',
      why: 'something in front of the node forbids it (403)',
      todo: 'Allow WebSockets in the proxy, the firewall for web applications, or the CDN.',
    }
  if (status === 404)
    return {
      level: 'error',
      why: `${ofNode ? 'the node' : 'the proxy'} does not know the path (404)`,
      todo: 'Let the proxy pass the paths /socket.io/ and /ws on to the nodes, unchanged.',
    }
  if (status >= 500)
    return {
      level: 'error',
      why: `${ofNode ? 'the node' : 'the proxy'} answers with ${status}`,
      todo: ofNode
        ? 'Ask /readyz of the nodes: they may be going away, or be without Redis.'
        : 'Look at the log of the proxy: it fails on WebSockets, or reaches no node.',
    }
  return { level: 'error', why: `the upgrade is answered with ${status}`, todo: PASS_UPGRADE }
}

const faultOf = (handshake: Exclude<Handshake, { is: 'talking' }>, isWithoutUpgrade: boolean): Fault => {
  if (handshake.is === 'answered')
    return ofStatus(handshake.status, handshake.body, isOfNode(handshake.headers), isWithoutUpgrade)
  if (handshake.is === 'mute')
    return {
      level: 'error',
      why: `the proxy upgrades, but ${handshake.why}`,
      todo: 'Let the proxy pass upgraded connections on in both directions, without a buffer.',
    }
  return {
    level: 'error',
    why: handshake.why,
    todo: handshake.code === 'TIMEOUT' ? PASS_UPGRADE : 'Look at the log of the proxy.',
  }
}

/** Opens a WebSocket at each door, and says something. */
export const probeWebSockets = async (origin: string, signal: AbortSignal): Promise<Finding[]> => {
  const results = await Promise.all(
    doors.map(async ({ path, exchange, isWithoutUpgrade }) => {
      const handshake = await shakeHands(origin, path, exchange, signal)
      const door = path.replace(/\?.*/, '')
      if (handshake.is === 'talking') return { door }
      const isGone = handshake.is === 'answered' && isWithoutUpgrade(handshake.status, handshake.body)
      return { door, fault: faultOf(handshake, isGone) }
    }),
  )
  if (results.every(({ fault }) => !fault))
    return [{ code, level: 'ok', says: 'WebSockets pass through the proxy (/socket.io/ and /ws).' }]
  // One cause is one finding: both doors mostly fail for the same reason.
  const byTodo = Map.groupBy(
    results.filter(({ fault }) => fault),
    ({ fault }) => fault?.todo,
  )
  return [...byTodo.values()].flatMap((same) => {
    const fault = same[0]?.fault
    if (!fault) return []
    const { level, why, todo } = fault
    return [
      { code, level, says: `WebSockets do not pass at ${same.map(({ door }) => door).join(' and ')}: ${why}.`, todo },
    ]
  })
}
