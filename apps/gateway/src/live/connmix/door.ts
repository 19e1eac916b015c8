import type { Server } from 'socket.io'
import type { Logger } from '../../operate/log.ts'
import { isDeaf, type Limits } from '../../transport/limits.ts'
import type { AdmissionOptions } from '../../transport/socket/admission.ts'
import { newSessionId } from '../../transport/socket/session-id.ts'
import type { Door } from '../../transport/socket/upgrades.ts'
import { createWebSockets } from '../../transport/socket/web-sockets.ts'
import { type Keeper, WsConnection } from './connection.ts'
import { type Packet, readPacket } from './packets.ts'

const WS_PATH = '/ws'

export interface WsDoorDeps {
  limits: Pick<Limits, 'liveEvents'>
  log: Logger
}

export interface WsDoorOptions extends Pick<AdmissionOptions, 'addressOf' | 'isDraining'> {
  nodeId: string
  /** Bytes that may wait for a reader before it is cut off. */
  maxBufferBytes: number
  /** Milliseconds after which a client that says nothing is closed. @default 60000 */
  idleMs?: number
  /** The clock for that, in milliseconds from any beginning. @default performance.now */
  now?: () => number
}

const NORMAL = 1000

export interface WsDoor extends Door {
  /** Ends what is still open; drain the sockets first. */
  close(): void
}

/**
 * The plain WebSocket door: each WebSocket becomes an engine connection that Socket.IO takes for one of its
 * own, so that there is one authentication, one rate limit and one drain.
 */
export const createWsDoor = (
  io: Server,
  { limits, log }: WsDoorDeps,
  { nodeId, maxBufferBytes, idleMs = 60_000, now = () => performance.now(), addressOf, isDraining }: WsDoorOptions,
): WsDoor => {
  const connections = new Set<WsConnection>()
  const open = createWebSockets({ nodeId, maxPayload: io.engine.opts.maxHttpBufferSize })

  // A signal is the same text for all who get it, one after the other.
  let last: { text: string; packet: Packet | undefined } | undefined
  const keeper: Keeper = {
    isDraining,
    now,
    maxBufferBytes,
    read: (text) => {
      if (last?.text !== text) last = { text, packet: readPacket(text) }
      return last.packet
    },
    countStray: (connection, flood) => {
      limits.liveEvents(connection).then(
        (slow) => {
          if (slow && isDeaf(slow)) flood()
        },
        (error) => log.error({ err: error }, 'a limit could not be read'),
      )
    },
  }

  const sweep = setInterval(
    () => {
      const deadline = now() - idleMs
      for (const connection of connections) if (connection.heardAt < deadline) connection.end(NORMAL, 'idle')
    },
    Math.min(1_000, idleMs / 2),
  ).unref()

  return {
    name: 'ws',
    claims: ({ url = '' }) => url.split('?', 1)[0] === WS_PATH,
    enter: (req, tcp, head) => {
      const address = addressOf(req)
      open(req, tcp, head, (ws) => {
        const connection = new WsConnection(ws, tcp, newSessionId(nodeId), address, keeper)
        connections.add(connection)
        connection.once('close', () => connections.delete(connection))
        io.engine.emit('connection', connection)
      })
    },
    close: () => {
      clearInterval(sweep)
      for (const connection of connections) connection.close()
    },
  }
}
