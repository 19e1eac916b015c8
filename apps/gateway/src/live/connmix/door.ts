import type { LiveClientEvents } from '@saoma/protocol'
import { every } from '@saoma/redis'
import type { Metrics } from '../../operate/metrics.ts'
import { isDeaf, type Limits } from '../../transport/limits.ts'
import type { AdmissionOptions } from '../../transport/socket/admission.ts'
import { type Act, type AnswerDeps, answerEvent } from '../../transport/socket/answer-event.ts'
import { newSessionId } from '../../transport/socket/session-id.ts'
import type { Door } from '../../transport/socket/upgrades.ts'
import { createWebSockets } from '../../transport/socket/web-sockets.ts'
import type { LiveConnection } from '../live-connection.ts'
import type { LiveConnections } from '../live-connections.ts'
import { ConnmixConnection } from './connmix-connection.ts'
import type { Keeper } from './keeper.ts'

const WS_PATH = '/ws'

export interface ConnmixDoorDeps extends AnswerDeps {
  connections: LiveConnections
  requests: Record<keyof LiveClientEvents, Act<LiveConnection>>
  limits: Pick<Limits, 'liveEvents'>
  metrics: Pick<Metrics, 'opened' | 'closed'>
}

export interface ConnmixDoorOptions extends Pick<AdmissionOptions, 'addressOf' | 'isDraining'> {
  nodeId: string
  /** Bytes that may be buffered for a reader before it is cut off. */
  maxBufferBytes: number
  /** Largest frame, in bytes. */
  maxPayload: number
  /** Milliseconds after which an unauthenticated client is closed. @default 10000 */
  authMs?: number
  /** Milliseconds after which a silent client is closed. @default 60000 */
  idleMs?: number
  /** The clock for both, in milliseconds; its zero is arbitrary. @default performance.now */
  now?: () => number
}

/** How often both deadlines are checked. All connections share one timer. */
const SWEEP_MS = 1_000

export interface ConnmixDoor extends Door {
  /** The authenticated connections. */
  guests(): ConnmixConnection[]
  /** Closes what is still open. Send the guests away first. */
  close(): void
}

/** The door `/ws` of plain WebSockets, for mini-programs and other clients that speak CONNMIX. */
export const createConnmixDoor = (deps: ConnmixDoorDeps, options: ConnmixDoorOptions): ConnmixDoor => {
  const { connections, requests, limits, metrics, log } = deps
  const { nodeId, maxBufferBytes, maxPayload, addressOf, isDraining } = options
  const { authMs = 10_000, idleMs = 60_000, now = () => performance.now() } = options
  const open = createWebSockets({ nodeId, maxPayload })
  const present = new Set<ConnmixConnection>()

  const keeper: Keeper = {
    isDraining,
    now,
    maxBufferBytes,
    connections,
    countStray: (connection, flood) => {
      limits.liveEvents(connection).then(
        (slow) => {
          if (slow && isDeaf(slow)) flood()
        },
        (error) => log.error({ err: error }, 'a limit could not be read'),
      )
    },
    ask: async (connection, event, body, answer) => {
      const spent = await connection.spend()
      if (spent === 'spent') await answerEvent(event, deps, requests[event], connection, body, answer)
      else if (spent !== 'gone') answer(spent)
    },
    closed: (connection, reason) => {
      present.delete(connection)
      metrics.closed.inc({ reason: reason.replaceAll(' ', '_') })
    },
  }

  const stopSweeps = every(Math.min(SWEEP_MS, idleMs / 2, authMs / 2), () => {
    const at = now()
    for (const connection of present) {
      if (!connection.isAuthenticated && connection.begunAt < at - authMs) connection.end()
      else if (connection.heardAt < at - idleMs) connection.endIdle()
    }
  })

  return {
    name: 'ws',
    claims: ({ url = '' }) => url.split('?', 1)[0] === WS_PATH,
    enter: (req, tcp, head) => {
      const address = addressOf(req)
      open(req, tcp, head, (ws) => {
        present.add(new ConnmixConnection(ws, tcp, newSessionId(nodeId), address, keeper))
        metrics.opened.inc({ transport: 'plain' })
      })
    },
    guests: () => [...present].filter(({ isOpen, isAuthenticated }) => isOpen && isAuthenticated),
    close: () => {
      stopSweeps()
      for (const connection of present) connection.end()
    },
  }
}
