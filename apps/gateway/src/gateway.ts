import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Accounts } from '@saoma/accounts'
import type { Audit } from '@saoma/audit'
import type { Channels } from '@saoma/channels'
import type { Identity } from '@saoma/identity'
import { LOGIN_NAMESPACE } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import type { Inbox, Tickets } from '@saoma/tickets'
import type { Pool } from '@saoma/wechat'
import type { Server } from 'socket.io'
import type { ClientList } from './access/client-list.ts'
import type { Authenticate, StillValid } from './access/principal.ts'
import type { RevocationWatch } from './access/revocation-watch.ts'
import { keepsEndsMs } from './access/signed-tokens.ts'
import { createAdminApp } from './admin/app.ts'
import type { ClientsDeps } from './admin/clients.ts'
import type { KeysDeps } from './admin/keys.ts'
import { createPeopleActs } from './admin/people-acts.ts'
import { createApp } from './app.ts'
import type { Config } from './config/config.ts'
import { createOrigins } from './config/origins.ts'
import { drain, guestsOf } from './drain.ts'
import { createConnmixDoor } from './live/connmix/door.ts'
import type { Live } from './live/live.ts'
import { createLiveConnections } from './live/live-connections.ts'
import { createLiveRequests } from './live/live-requests.ts'
import { countSockets } from './live/socketio/counts.ts'
import { createLightLiveDoor } from './live/socketio/light-door.ts'
import type { LiveNamespace } from './live/socketio/live-socket.ts'
import { serveLive } from './live/socketio/namespace.ts'
import { createConfirmLatency } from './login/confirm-latency.ts'
import { createEndPerson } from './login/end-person.ts'
import type { Link } from './login/qr/link.ts'
import type { QrPicture } from './login/qr/picture.ts'
import type { TicketRoutesDeps } from './login/tickets.ts'
import { createLightLoginDoor } from './login/watch/door.ts'
import { type LoginNamespace, serveLogin } from './login/watch/socketio.ts'
import { createTicketWatches } from './login/watch/ticket-watches.ts'
import { watchCpu } from './operate/cpu-share.ts'
import { watchEventLoopLag } from './operate/event-loop-lag.ts'
import type { Logger } from './operate/log.ts'
import type { Metrics } from './operate/metrics.ts'
import { createNodeCalls } from './operate/node-calls.ts'
import { reportOf } from './operate/node-report.ts'
import type { Room } from './operate/open-redis.ts'
import type { NodeView } from './operate/operator-server.ts'
import { requestBounds } from './operate/request-bounds.ts'
import { tellResubscribed } from './operate/resubscribed.ts'
import type { Trace } from './operate/tracing/trace.ts'
import { createAddressReader } from './transport/client-address.ts'
import { ENVELOPE } from './transport/http/body.ts'
import type { Builds } from './transport/http/builds.ts'
import { DIAGNOSIS_PATH } from './transport/http/diagnosis.ts'
import { createHeldRequests } from './transport/http/held-requests.ts'
import { DEAF_FACTOR, type Limits } from './transport/limits.ts'
import { createProxies } from './transport/proxies.ts'
import { createJudge } from './transport/socket/admission.ts'
import { createEngineDoor } from './transport/socket/engine-door.ts'
import type { PacketGuard } from './transport/socket/packet-guard.ts'
import { createIo } from './transport/socket/server.ts'
import { isWebSocketHandshake, routeUpgrades } from './transport/socket/upgrades.ts'
import { warnOfStrangers } from './transport/strangers.ts'

export interface GatewayDeps {
  redis: RedisClients
  /** The Redis of the live channels, if they have one of their own. */
  channelsRedis?: RedisClients
  /** Whether the Redis of the channels has room for writes. */
  room: Room
  limits: Limits
  tickets: Tickets
  identity: Identity
  accounts: Accounts
  /** The requests that applications have sent to people's phones. */
  inbox: Inbox
  settled: TicketRoutesDeps['settled']
  channels: Channels
  live: Live
  revocations: RevocationWatch
  authenticate: Authenticate
  stillValid: StillValid
  keys: KeysDeps
  /** The registered applications, as administrators see them. */
  applications: ClientsDeps
  picture: QrPicture
  link?: Link
  builds?: Builds
  pool?: Pick<Pool, 'resolve'>
  /** The registered applications. */
  clients: Pick<ClientList, 'find' | 'hasOrigin'>
  /** Notes that an application was used. */
  noteClient?: (id: string) => void
  metrics: Metrics
  audit: Audit
  log: Logger
  trace?: Trace
  /** Makes the process drain and end, as SIGTERM does. It may be called again. */
  leave: () => void
}

export type GatewayOptions = Pick<
  Config,
  | 'nodeId'
  | 'adminApi'
  | 'origin'
  | 'webRoot'
  | 'demo'
  | 'wechat'
  | 'appName'
  | 'ownApp'
  | 'allowedOrigins'
  | 'trustedProxies'
  | 'secrets'
  | 'limits'
  | 'drain'
  | 'pool'
  | 'live'
>

export interface Gateway {
  /** The public HTTP server, also for Socket.IO. It is not listening yet. */
  http: HttpServer
  /** The operator's view: health, readiness and metrics. */
  inside: NodeView
  io: Server
  /**
   * Drains the node: refuses new sockets, answers held requests, and sends each open socket to another node
   * at its own moment.
   */
  close(): Promise<void>
}

/** Assembles one node of the cluster. It is not listening yet. */
export const createGateway = (deps: GatewayDeps, options: GatewayOptions): Gateway => {
  const { redis, channelsRedis, room, channels, metrics } = deps
  let leaving = false
  let draining = false
  const isDraining = () => draining
  const holds = createHeldRequests(metrics)
  const origins = createOrigins(options)
  const readAddress = createAddressReader(options.trustedProxies, warnOfStrangers(deps.log))
  const readQuietly = createAddressReader(options.trustedProxies)
  // The doctor forges a forwarded address on purpose: its machine is no proxy.
  const addressOf = (req: IncomingMessage) => (req.url === DIAGNOSIS_PATH ? readQuietly : readAddress)(req)
  const pushes = createConfirmLatency(metrics)

  const endPerson = createEndPerson({ ...deps, keepMs: keepsEndsMs(options.live) })
  const people = createPeopleActs({ ...deps, endPerson })
  const cpu = watchCpu()
  const nodes = createNodeCalls({ ...deps, report: () => reportOf(inside, metrics, cpu.share) }, options)
  const app = createApp({ ...deps, ...people, endPerson, holds, pushes, nodes }, { ...options, origins, addressOf })
  const admission = { origins, addressOf, isDraining }
  const judge = createJudge(deps, admission)
  const doorOptions = {
    ...admission,
    nodeId: options.nodeId,
    maxBufferBytes: options.limits.bufferBytes,
    maxPayload: options.limits.messageBytes + ENVELOPE,
    maxPackets: {
      person: DEAF_FACTOR * options.limits.eventsPerTenSeconds,
      backend: DEAF_FACTOR * options.limits.keyEventsPerTenSeconds,
    },
  }
  const serve = (io: Server, guard: PacketGuard): void => {
    // Each namespace has its own events, which the type of the server cannot express.
    serveLogin(io.of(LOGIN_NAMESPACE) as unknown as LoginNamespace, { ...deps, guard, watching })
    serveLive(io.of('/') as unknown as LiveNamespace, { ...deps, guard, connections, requests }, doorOptions)
  }
  const watching = createTicketWatches({ ...deps, subscriber: redis.subscriber, pushes })
  const connections = createLiveConnections({
    ...deps,
    maxChannels: options.limits.channels,
    origin: options.origin,
  })
  const requests = createLiveRequests(deps.live, metrics)
  tellResubscribed(redis.subscriber, deps)
  if (channelsRedis) tellResubscribed(channelsRedis.subscriber, deps)
  const io = createIo(redis, { judge, metrics, serve }, doorOptions)
  const engine = createEngineDoor(io)
  const http = createServer(
    {
      ...requestBounds,
      keepAliveTimeout: 75_000,
      shouldUpgradeCallback: isWebSocketHandshake,
    },
    engine.before(app.callback()),
  )
  const lightLogins = createLightLoginDoor(io, { ...deps, watching }, doorOptions)
  const lightLives = createLightLiveDoor(io, { ...deps, connections, requests }, doorOptions)
  const ws = createConnmixDoor({ ...deps, connections, requests }, doorOptions)
  const proxies = createProxies({ ...deps, guests: () => guestsOf({ io, ws, lightLogins, lightLives }) }, options.drain)
  // The light doors come first: Engine.IO would claim everything below its path.
  routeUpgrades(http, [lightLogins, lightLives, ws, engine], { ...deps, judge, proxies }, doorOptions)
  const lateness = watchEventLoopLag()
  const inside: NodeView = {
    redis,
    ...(channelsRedis ? { channelsRedis } : {}),
    room,
    isDraining: () => leaving,
    isLate: lateness.isLate,
    proxyLeaves: proxies.leave,
    admin: createAdminApp({ ...deps, ...people, endPerson, nodes }, options),
    counts: {
      sockets: () => [
        ...countSockets(io),
        { nsp: LOGIN_NAMESPACE, transport: 'websocket', sockets: lightLogins.guests().length },
        { nsp: '/', transport: 'websocket', sockets: lightLives.guests().length },
        { nsp: '/', transport: 'plain', sockets: ws.guests().length },
      ],
      people: connections.people,
      tickets: watching.tickets,
      live: () => channels.size,
    },
  }

  let closing: Promise<void> | undefined
  return {
    http,
    inside,
    io,
    close: () => {
      closing ??= (async () => {
        leaving = true
        // Load balancers that poll /readyz get this time to switch, before the node refuses anything.
        await delay(options.drain.delayMs)
        draining = true
        await drain({ ...deps, http, io, ws, lightLogins, lightLives, holds }, options.drain.windowMs)
        watching.close()
        connections.stop()
        lateness.close()
        proxies.close()
        nodes.close()
        cpu.close()
      })()
      return closing
    },
  }
}
