import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server } from 'socket.io'
import { type AdmissionOptions, createJudge } from '../io/admission.ts'
import { newSessionId } from '../io/session-id.ts'
import { createUpgrades } from '../io/upgrades.ts'
import { isDeaf, type Limits } from '../limits.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type Keeper, WsConnection } from './connection.ts'
import { type Packet, readPacket } from './packets.ts'

export const WS_PATH = '/ws'

export interface WsDoorDeps {
  limits: Pick<Limits, 'handshakes' | 'liveEvents'>
  metrics: Metrics
  log: Logger
}

export interface WsDoorOptions extends AdmissionOptions {
  nodeId: string
  /** Bytes that may wait for a reader before it is cut off. */
  maxBufferBytes: number
  /** Milliseconds after which a client that says nothing is closed. @default 60000 */
  idleMs?: number
}

const NORMAL = 1000

const isOurs = ({ url = '' }: IncomingMessage): boolean => url.split('?', 1)[0] === WS_PATH

export interface WsDoor {
  /** Ends what is still open; drain the sockets first. */
  close(): void
}

/**
 * The plain WebSocket door: each WebSocket becomes an engine connection that Socket.IO takes for one of its own, so that there is one
 * authentication, one rate limit and one drain. Upgrades to other addresses are left to others.
 */
export const createWsDoor = (
  http: HttpServer,
  io: Server,
  { limits, metrics, log }: WsDoorDeps,
  options: WsDoorOptions,
): WsDoor => {
  const { nodeId, maxBufferBytes, idleMs = 60_000, addressOf, isDraining } = options
  const connections = new Set<WsConnection>()
  const upgrade = createUpgrades(
    { judge: createJudge(limits, metrics, options), log },
    { nodeId, door: 'ws', maxPayload: io.engine.opts.maxHttpBufferSize },
  )

  // A signal is the same text for all who get it, one after the other.
  let last: { text: string; packet: Packet | undefined } | undefined
  const keeper: Keeper = {
    isDraining,
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

  const onUpgrade = (req: IncomingMessage, tcp: Duplex, head: Buffer): void => {
    if (!isOurs(req)) return
    const id = newSessionId(nodeId)
    const address = addressOf(req)
    upgrade(req, tcp, head, (ws) => {
      const connection = new WsConnection(ws, tcp, id, address, keeper)
      connections.add(connection)
      connection.once('close', () => connections.delete(connection))
      io.engine.emit('connection', connection)
    })
  }
  http.on('upgrade', onUpgrade)

  const sweep = setInterval(
    () => {
      const deadline = Date.now() - idleMs
      for (const connection of connections) if (connection.heardAt < deadline) connection.end(NORMAL, 'idle')
    },
    Math.min(1_000, idleMs / 2),
  ).unref()

  return {
    close: () => {
      clearInterval(sweep)
      http.off('upgrade', onUpgrade)
      for (const connection of connections) connection.close()
    },
  }
}
