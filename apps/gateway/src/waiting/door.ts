import { randomBytes } from 'node:crypto'
import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { LOGIN_ONLY } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import type { Server, ServerOptions } from 'socket.io'
import { type AdmissionOptions, createJudge } from '../io/admission.ts'
import { createUpgrades } from '../io/upgrades.ts'
import type { Limits } from '../limits.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type Keeper, WaitingBrowser } from './browser.ts'
import { now } from './clock.ts'
import type { Watching } from './watching.ts'

export interface WaitingDoorDeps {
  watching: Watching
  tickets: Pick<Tickets, 'listen' | 'unlisten'>
  limits: Pick<Limits, 'handshakes'>
  metrics: Metrics
  log: Logger
}

export interface WaitingDoorOptions extends AdmissionOptions {
  nodeId: string
  /** Bytes that may wait for a reader before it is cut off. */
  maxBufferBytes: number
}

export interface WaitingDoor {
  /** Those in the namespace. */
  browsers(): WaitingBrowser[]
  /** How many. */
  readonly size: number
  /** Ends what is still open; drain the browsers first. */
  close(): void
}

/** How often heartbeats are looked at: one timer for all browsers instead of two for each. */
const SWEEP_MS = 1_000

/**
 * The door for a WebSocket that says in its address that it will use the namespace `/login` only. What it hears there is the same as
 * from Socket.IO, whose objects for a connection are three times as large as the connection itself. All else goes on to Engine.IO.
 */
export const createWaitingDoor = (
  http: HttpServer,
  io: Server,
  { watching, tickets, limits, metrics, log }: WaitingDoorDeps,
  options: WaitingDoorOptions,
): WaitingDoor => {
  const { nodeId, maxBufferBytes } = options
  // Its type leaves them open; they are there.
  const { pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = io.engine.opts as Required<ServerOptions>
  const connections = new Set<WaitingBrowser>()
  let size = 0
  const upgrade = createUpgrades(
    { judge: createJudge(limits, metrics, options), log },
    // A ping is answered by the browser itself: what ws keeps for it is a closure for each.
    { nodeId, door: 'waiting', maxPayload, autoPong: false, WebSocket: WaitingBrowser },
  )

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
  const isOurs = ({ url = '' }: IncomingMessage): boolean => {
    if (!url.startsWith(path)) return false
    // The last of several counts, and an empty session is none, as for Engine.IO.
    const said = Object.fromEntries(new URLSearchParams(url.slice(path.length)))
    return said.only === LOGIN_ONLY.only && said.transport === 'websocket' && said.EIO === '4' && !said.sid
  }

  // Engine.IO's own, which would take every upgrade to the address.
  const others = http.listeners('upgrade')
  http.removeAllListeners('upgrade')
  http.on('upgrade', (req: IncomingMessage, tcp: Duplex, head: Buffer<ArrayBuffer>) => {
    if (!isOurs(req)) {
      for (const other of others) other.call(http, req, tcp, head)
      return
    }
    upgrade(req, tcp, head, (browser) => {
      connections.add(browser)
      metrics.opened.inc({ transport: 'websocket' })
      browser.begin(tcp, randomBytes(15).toString('base64url'), keeper)
    })
  })

  const sweep = setInterval(() => {
    const at = now()
    for (const browser of connections) browser.check(at)
  }, SWEEP_MS).unref()

  return {
    browsers: () => [...connections].filter(({ isOpen }) => isOpen),
    get size() {
      return size
    },
    close: () => {
      clearInterval(sweep)
      for (const browser of connections) browser.end()
    },
  }
}
