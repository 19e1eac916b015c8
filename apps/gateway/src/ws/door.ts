import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server } from 'socket.io'
import { WebSocketServer } from 'ws'
import { type AdmissionOptions, createJudge, refuseUpgrade } from '../io/admission.ts'
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

/** For a client that goes while it is being judged. */
function destroy(this: Duplex): void {
  this.destroy()
}

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
  const judge = createJudge(limits, metrics, options)
  const connections = new Set<WsConnection>()
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: io.engine.opts.maxHttpBufferSize,
  })
  server.on('headers', (headers) => headers.push(`X-Saoma-Node: ${nodeId}`))

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

  const admit = async (req: IncomingMessage, tcp: Duplex, head: Buffer): Promise<void> => {
    const refusal = await judge(req)
    if (refusal) return refuseUpgrade(tcp, refusal)
    const id = await io.engine.generateId(req)
    const address = addressOf(req)
    server.handleUpgrade(req, tcp, head, (ws) => {
      tcp.off('error', destroy)
      const connection = new WsConnection(ws, tcp, id, address, keeper)
      connections.add(connection)
      connection.once('close', () => connections.delete(connection))
      io.engine.emit('connection', connection)
    })
  }

  const onUpgrade = (req: IncomingMessage, tcp: Duplex, head: Buffer): void => {
    if (!isOurs(req)) return
    tcp.on('error', destroy)
    admit(req, tcp, head).catch((error) => {
      log.error({ err: error, event: 'refused', on: 'ws' })
      tcp.destroy()
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
