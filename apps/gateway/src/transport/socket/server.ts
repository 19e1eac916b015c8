import type { Server as HttpServer, IncomingMessage } from 'node:http'
import { LOGIN_NAMESPACE } from '@saoma/protocol'
import { adapterClient, type RedisClients } from '@saoma/redis'
import { createShardedAdapter } from '@socket.io/redis-adapter'
import { Server, type ServerOptions } from 'socket.io'
import type { Origins } from '../../config/origins.ts'
import type { Metrics } from '../../operate/metrics.ts'
import { ENVELOPE } from '../http/body.ts'
import { exposedHeaders } from '../http/cross-origin.ts'
import { type AdmissionOptions, createAdmission, type Judge, namesSession } from './admission.ts'
import { createPacketGuard, type PacketGuard } from './packet-guard.ts'
import { parser } from './parser.ts'
import { newSessionId } from './session-id.ts'

export interface IoDeps {
  judge: Judge
  metrics: Metrics
  /** Gives the namespaces those who serve them. */
  serve: (io: Server, guard: PacketGuard) => void
}

export interface IoOptions extends Pick<AdmissionOptions, 'origins' | 'addressOf'> {
  nodeId: string
  /** Bytes that may wait for a reader before it is cut off. */
  maxBufferBytes: number
  /** Most bytes of a message's data. */
  maxDataBytes: number
}

const OLD_CLIENT =
  'This client speaks a protocol that is not served (EIO 3): use Socket.IO 3 or 4 for JavaScript, or a client that speaks EIO 4'

/** Who may not begin is refused readably; what is said to a session is for nobody else. */
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
 * Socket.IO over the sharded Redis adapter. A message to a room wakes only the nodes that hold somebody in
 * it.
 */
export const createIo = (
  http: HttpServer,
  redis: RedisClients,
  { judge, metrics, serve }: IoDeps,
  options: IoOptions,
): Server => {
  const io = new Server(http, {
    adapter: createShardedAdapter(redis.pub, adapterClient(redis.subscriber), {
      channelPrefix: redis.keys.prefix,
      subscriptionMode: 'dynamic',
    }),
    parser,
    serveClient: false,
    maxHttpBufferSize: options.maxDataBytes + ENVELOPE,
    perMessageDeflate: false,
    httpCompression: false,
    connectTimeout: 10_000,
    cors: crossOrigin(options.origins),
  })

  // Engine.IO's own word for it names no version, and an old client shows its user nothing else.
  Object.assign(Reflect.get(io.engine.constructor, 'errorMessages'), { 5: OLD_CLIENT })

  io.engine.use(createAdmission(judge, options.nodeId))

  io.engine.generateId = () => newSessionId(options.nodeId)

  io.engine.on('headers', (headers: Record<string, string>) => {
    headers['X-Saoma-Node'] = options.nodeId
  })
  // Shared functions, because a closure for each of ten thousand waiting browsers is memory.
  const onClose = (reason: string) => metrics.closed.inc({ reason: reason.replaceAll(' ', '_') })
  const namespaces = ['/', LOGIN_NAMESPACE]
  const guard = createPacketGuard(namespaces, options.maxBufferBytes, (reason) => metrics.cut.inc({ reason }))
  io.engine.on('connection', (connection) => {
    guard.watch(connection)
    // Behind a proxy Engine.IO's own is the proxy's.
    if (connection.request) Object.assign(connection, { remoteAddress: options.addressOf(connection.request) })
    // Kept by Engine.IO for as long as the socket lives and read by nobody: the largest part of a waiting
    // browser's memory.
    connection.request = null
    metrics.opened.inc({ transport: connection.transport.name })
    connection.on('close', onClose)
  })

  serve(io, guard)
  return io
}
