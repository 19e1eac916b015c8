import { randomFillSync } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { LOGIN_ONLY } from '@saoma/protocol'
import { every } from '@saoma/redis'
import type { Tickets } from '@saoma/tickets'
import type { Server, ServerOptions } from 'socket.io'
import type { Metrics } from '../../operate/metrics.ts'
import type { Door } from '../../transport/socket/upgrades.ts'
import { createWebSockets } from '../../transport/socket/web-sockets.ts'
import { now } from './clock.ts'
import { type Keeper, LightLoginSocket } from './light-login-socket.ts'
import type { TicketWatches } from './ticket-watches.ts'

export interface LightLoginDoorDeps {
  watching: TicketWatches
  tickets: Pick<Tickets, 'listen' | 'unlisten'>
  metrics: Metrics
}

export interface LightLoginDoorOptions {
  nodeId: string
  /** Bytes that may be buffered for a reader before it is cut off. */
  maxBufferBytes: number
}

export interface LightLoginDoor extends Door {
  /** The browsers in the namespace. */
  browsers(): LightLoginSocket[]
  /** Number of browsers in the namespace. */
  readonly size: number
  /** Closes what is still open. Drain the browsers first. */
  close(): void
}

const ID_BYTES = 15
const drawn = Buffer.alloc(ID_BYTES * 256)
let used = drawn.length

/** An id that cannot be guessed. Asking for many at once costs as much as asking for one. */
const drawId = (): string => {
  if (used === drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  used += ID_BYTES
  return drawn.toString('base64url', used - ID_BYTES, used)
}

/** How often heartbeats are checked: one timer for all browsers instead of two for each. */
const SWEEP_MS = 1_000

/**
 * The door for WebSockets whose address says that they use the namespace `/login` only. The protocol is the
 * same as Socket.IO's, but Socket.IO's objects for a connection need three times the memory of the connection
 * itself. Engine.IO serves all other requests.
 */
export const createLightLoginDoor = (
  io: Server,
  { watching, tickets, metrics }: LightLoginDoorDeps,
  { nodeId, maxBufferBytes }: LightLoginDoorOptions,
): LightLoginDoor => {
  // The type makes them optional, but they are always set.
  const { pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = io.engine.opts as Required<ServerOptions>
  const connections = new Set<LightLoginSocket>()
  let size = 0
  // LightLoginSocket answers pings itself, because ws would keep a closure for each connection.
  const open = createWebSockets({ nodeId, maxPayload, autoPong: false, WebSocket: LightLoginSocket })

  const keeper: Keeper = {
    opening: { pingInterval, pingTimeout, maxPayload },
    nodeId,
    maxBufferBytes,
    watch: watching.watch,
    follow: tickets.listen,
    unfollow: tickets.unlisten,
    heard: watching.heard,
    joined: (browser) => {
      size++
      watching.add(browser)
    },
    left: (browser) => {
      size--
      watching.remove(browser)
    },
    limited: () => metrics.limited.inc({ what: 'events' }),
    cut: (reason) => metrics.cut.inc({ reason }),
    closed: (browser, reason) => {
      connections.delete(browser)
      metrics.closed.inc({ reason: reason.replaceAll(' ', '_') })
    },
  }

  const path = `${io.path()}/?`
  const claims = ({ url = '' }: IncomingMessage): boolean => {
    if (!url.startsWith(path)) return false
    // As in Engine.IO, the last of several values is valid, and an empty session id means none.
    const said = Object.fromEntries(new URLSearchParams(url.slice(path.length)))
    return said.only === LOGIN_ONLY.only && said.transport === 'websocket' && said.EIO === '4' && !said.sid
  }

  const stopSweeps = every(SWEEP_MS, () => {
    const at = now()
    for (const browser of connections) browser.check(at)
  })

  return {
    name: 'waiting',
    claims,
    enter: (req, tcp, head) =>
      open(req, tcp, head, (browser) => {
        connections.add(browser)
        metrics.opened.inc({ transport: 'websocket' })
        browser.begin(tcp, drawId(), keeper)
      }),
    browsers: () => [...connections].filter(({ isOpen }) => isOpen),
    get size() {
      return size
    },
    close: () => {
      stopSweeps()
      for (const browser of connections) browser.end()
    },
  }
}
