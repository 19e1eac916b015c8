import type { Server as HttpServer } from 'node:http'
import { LOGIN_NAMESPACE } from '@saoma/protocol'
import { adapterClient, type RedisClients } from '@saoma/redis'
import { createShardedAdapter } from '@socket.io/redis-adapter'
import { Server } from 'socket.io'
import type { Metrics } from '../metrics.ts'
import { ADMIN_NAMESPACE, type Admin } from './admin.ts'
import { type AdmissionOptions, createAdmission, type Judge } from './admission.ts'
import type { LiveNamespace } from './connected.ts'
import { createGuard } from './guard.ts'
import { type LiveNamespaceDeps, type LiveNamespaceOptions, serveLive } from './live.ts'
import { type LoginDeps, type LoginNamespace, serveLogin } from './login.ts'
import { newSessionId } from './session-id.ts'

export interface IoOptions extends Pick<AdmissionOptions, 'origins' | 'addressOf'>, LiveNamespaceOptions {
  nodeId: string
  /** Most bytes of a message's data. */
  maxDataBytes: number
}

/** Room for what surrounds the data of a message. */
const ENVELOPE = 4 * 1024

/** Socket.IO over the sharded Redis adapter. A message to a room wakes only the nodes that hold somebody in it. */
export const createIo = (
  http: HttpServer,
  redis: RedisClients,
  deps: Omit<LoginDeps & LiveNamespaceDeps, 'guard'> & { judge: Judge; metrics: Metrics; admin?: Admin },
  options: IoOptions,
): Server => {
  const { judge, metrics, admin } = deps
  const io = new Server(http, {
    adapter: createShardedAdapter(redis.pub, adapterClient(redis.subscriber), {
      channelPrefix: redis.keys.prefix,
      subscriptionMode: 'dynamic',
    }),
    serveClient: false,
    maxHttpBufferSize: options.maxDataBytes + ENVELOPE,
    perMessageDeflate: false,
    httpCompression: false,
    connectTimeout: 10_000,
    cors: { origin: (origin, done) => done(null, origin === undefined || options.origins.allows(origin)) },
  })

  io.engine.use(createAdmission(judge, options.nodeId))

  io.engine.generateId = () => newSessionId(options.nodeId)

  io.engine.on('headers', (headers: Record<string, string>) => {
    headers['X-Saoma-Node'] = options.nodeId
  })
  // Shared functions, because a closure for each of ten thousand waiting browsers is memory.
  const onClose = (reason: string) => metrics.closed.inc({ reason: reason.replaceAll(' ', '_') })
  const namespaces = ['/', LOGIN_NAMESPACE, ...(admin ? [ADMIN_NAMESPACE] : [])]
  const guard = createGuard(namespaces, options.maxBufferBytes, (reason) => metrics.cut.inc({ reason }))
  io.engine.on('connection', (connection) => {
    guard.watch(connection)
    // Behind a proxy Engine.IO's own is the proxy's.
    if (connection.request) Object.assign(connection, { remoteAddress: options.addressOf(connection.request) })
    // Kept by Engine.IO for as long as the socket lives and read by nobody: the largest part of a waiting browser's memory.
    connection.request = null
    metrics.opened.inc({ transport: connection.transport.name })
    connection.on('close', onClose)
  })

  // Each namespace has events of its own, which the server's type cannot say.
  serveLogin(io.of(LOGIN_NAMESPACE) as unknown as LoginNamespace, { ...deps, guard })
  http.once('close', serveLive(io.of('/') as unknown as LiveNamespace, { ...deps, guard }, options))
  admin?.serve(io, { ...deps, guard })
  return io
}
