import type { IncomingMessage } from 'node:http'
import { LOGIN_NAMESPACE } from '@saoma/protocol'
import { adapterClient, type RedisClients } from '@saoma/redis'
import { createShardedAdapter } from '@socket.io/redis-adapter'
import { Server, type ServerOptions } from 'socket.io'
import type { Origins } from '../../config/origins.ts'
import type { Metrics } from '../../operate/metrics.ts'
import { exposedHeaders } from '../http/cross-origin.ts'
import { type AdmissionOptions, createAdmission, type Judge, namesSession } from './admission.ts'
import { DirectEngine } from './direct-web-socket.ts'
import { engineOf, forgetRequest, tellOldClients } from './engine.ts'
import { createPacketGuard, type PacketGuard } from './packet-guard.ts'
import { parser } from './parser.ts'
import { newSessionId } from './session-id.ts'

export interface IoDeps {
  judge: Judge
  metrics: Metrics
  /** Sets up the namespaces. */
  serve: (io: Server, guard: PacketGuard) => void
}

export interface IoOptions extends Pick<AdmissionOptions, 'origins' | 'addressOf'> {
  nodeId: string
  /** Bytes that may be buffered for a reader before it is cut off. */
  maxBufferBytes: number
  /** Largest packet, in bytes. */
  maxPayload: number
}

const OLD_CLIENT =
  'This client speaks a protocol that is not served (EIO 3): use Socket.IO 3 or 4 for JavaScript, or a client that speaks EIO 4'

/**
 * CORS of Engine.IO: any page can read the refusal of its handshake, but only allowed origins can read the
 * answers of a session.
 */
const crossOrigin =
  (origins: Origins): NonNullable<ServerOptions['cors']> =>
  (req, done) => {
    const { origin } = req.headers
    const isKnown = origin === undefined || origins.allows(origin)
    done(null, {
      origin: isKnown || (namesSession(req as IncomingMessage) ? false : '*'),
      exposedHeaders,
      maxAge: 3600,
    })
  }

/**
 * Socket.IO with the sharded Redis adapter. A message to a room reaches only the nodes that have a member of
 * it. The server is attached to no HTTP server: requests and upgrades come through `createEngineDoor`.
 */
export const createIo = (redis: RedisClients, { judge, metrics, serve }: IoDeps, options: IoOptions): Server => {
  const io = new Server({
    adapter: createShardedAdapter(redis.pub, adapterClient(redis.subscriber), {
      channelPrefix: redis.keys.prefix,
      subscriptionMode: 'dynamic',
    }),
    parser,
    serveClient: false,
    connectTimeout: 10_000,
  })
  io.bind(
    new DirectEngine({
      maxHttpBufferSize: options.maxPayload,
      perMessageDeflate: false,
      httpCompression: false,
      cors: crossOrigin(options.origins),
    }),
  )

  // This message is all that an old client shows its user.
  tellOldClients(io, OLD_CLIENT)

  io.engine.use(createAdmission(judge, options.nodeId))

  io.engine.generateId = () => newSessionId(options.nodeId)

  io.engine.on('headers', (headers: Record<string, string>) => {
    headers['X-Saoma-Node'] = options.nodeId
  })
  // Shared functions: a closure for each of ten thousand waiting browsers would cost memory.
  const onClose = (reason: string) => metrics.closed.inc({ reason: reason.replaceAll(' ', '_') })
  const namespaces = ['/', LOGIN_NAMESPACE]
  const guard = createPacketGuard(namespaces, options.maxBufferBytes, (reason) => metrics.cut.inc({ reason }))
  io.engine.on('connection', (connection) => {
    guard.watch(connection)
    forgetRequest(engineOf(connection), options.addressOf)
    metrics.opened.inc({ transport: connection.transport.name })
    connection.on('close', onClose)
  })

  serve(io, guard)
  return io
}
