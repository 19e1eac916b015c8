import { createServer, type Server as HttpServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Channels } from '@saoma/channels'
import type { Identity } from '@saoma/identity'
import { LOGIN_NAMESPACE } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import type { Tickets } from '@saoma/tickets'
import type { Pool } from '@saoma/wechat'
import type { Server } from 'socket.io'
import type { Config } from './config.ts'
import { drain } from './drain.ts'
import { guestsOf } from './guests.ts'
import { createApp } from './http/app.ts'
import type { Builds } from './http/builds.ts'
import { createHolds } from './http/holds.ts'
import type { Link } from './http/link.ts'
import type { Picture } from './http/picture.ts'
import type { Inside } from './internal.ts'
import { createJudge } from './io/admission.ts'
import { countPeople, countSockets } from './io/counts.ts'
import { createEngineDoor } from './io/engine-door.ts'
import { createIo } from './io/server.ts'
import { isWebSocketHandshake, routeUpgrades } from './io/upgrades.ts'
import { watchLateness } from './late.ts'
import { DEAF_FACTOR, type Limits } from './limits.ts'
import type { Attendance } from './live/attendance.ts'
import type { Live } from './live/live.ts'
import type { Authenticate, StillValid } from './live/principal.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Room } from './open-redis.ts'
import { createOrigins } from './origins.ts'
import { createProxies } from './proxies.ts'
import { createPushes } from './pushes.ts'
import { tellResubscribed } from './resubscribed.ts'
import { warnOfStrangers } from './strangers.ts'
import type { Trace } from './trace.ts'
import { createAddressReader } from './visitor.ts'
import { createWaitingDoor } from './waiting/door.ts'
import { createWatching } from './waiting/watching.ts'
import { createWsDoor } from './ws/door.ts'

export interface GatewayDeps {
  redis: RedisClients
  /** The Redis of the live channels, when they have one of their own. */
  channelsRedis?: RedisClients
  /** How full the Redis of the channels is. */
  room: Room
  limits: Limits
  tickets: Tickets
  identity: Identity
  channels: Channels
  live: Live
  attendance: Attendance
  authenticate: Authenticate
  stillValid: StillValid
  picture: Picture
  link?: Link
  builds?: Builds
  pool?: Pick<Pool, 'resolve'>
  metrics: Metrics
  log: Logger
  trace?: Trace
}

export type GatewayOptions = Pick<
  Config,
  | 'nodeId'
  | 'origin'
  | 'webRoot'
  | 'demo'
  | 'wechat'
  | 'allowedOrigins'
  | 'trustedProxies'
  | 'limits'
  | 'drain'
  | 'pool'
>

export interface Gateway {
  /** The public door: HTTP and Socket.IO. Not listening yet. */
  http: HttpServer
  /** For operators: health, readiness and what is counted. */
  inside: Inside
  io: Server
  /** Takes the node out: no new sockets, held requests answered, open sockets sent elsewhere at their own moments. */
  close(): Promise<void>
}

/** One node of the cluster, put together and not yet listening. */
export const createGateway = (deps: GatewayDeps, options: GatewayOptions): Gateway => {
  const { redis, channelsRedis, room, channels, metrics } = deps
  let leaving = false
  let draining = false
  const isDraining = () => draining
  const holds = createHolds(metrics)
  const origins = createOrigins(options)
  const addressOf = createAddressReader(options.trustedProxies, warnOfStrangers(deps.log))
  const pushes = createPushes(metrics)

  const app = createApp({ ...deps, holds, pushes }, { ...options, origins, addressOf })
  const http = createServer(
    {
      // A request with its body, however slowly it comes; looked at every ten seconds.
      requestTimeout: 60_000,
      connectionsCheckingInterval: 10_000,
      headersTimeout: 15_000,
      keepAliveTimeout: 75_000,
      maxHeaderSize: 16_384,
      shouldUpgradeCallback: isWebSocketHandshake,
    },
    app.callback(),
  )
  const admission = { origins, addressOf, isDraining }
  const judge = createJudge(deps, admission)
  const doorOptions = {
    ...admission,
    nodeId: options.nodeId,
    maxChannels: options.limits.channels,
    maxBufferBytes: options.limits.bufferBytes,
    maxDataBytes: options.limits.messageBytes,
    maxPackets: {
      person: DEAF_FACTOR * options.limits.eventsPerTenSeconds,
      backend: DEAF_FACTOR * options.limits.keyEventsPerTenSeconds,
    },
  }
  const watching = createWatching({ ...deps, subscriber: redis.subscriber })
  http.once('close', watching.close)
  tellResubscribed(redis.subscriber, deps)
  if (channelsRedis) tellResubscribed(channelsRedis.subscriber, deps)
  const io = createIo(http, redis, { ...deps, subscriber: redis.subscriber, watching, judge }, doorOptions)
  const waiting = createWaitingDoor(io, { ...deps, watching }, doorOptions)
  // After those who listen for browsers, which hear it first: by then they have written it to their sockets.
  redis.subscriber.on('message', (channel, payload) => {
    metrics.pubsubReceived.inc()
    pushes.heard(channel, payload)
  })
  channelsRedis?.subscriber.on('message', () => metrics.pubsubReceived.inc())
  const ws = createWsDoor(io, deps, doorOptions)
  const proxies = createProxies({ ...deps, guests: () => guestsOf({ io, waiting }) }, options.drain)
  // Who waits for a login is asked first: Engine.IO would take everything below its path.
  routeUpgrades(http, [waiting, ws, createEngineDoor(io)], { ...deps, judge, proxies }, doorOptions)
  const lateness = watchLateness()
  const inside: Inside = {
    redis,
    ...(channelsRedis ? { channelsRedis } : {}),
    room,
    isDraining: () => leaving,
    isLate: lateness.isLate,
    proxyLeaves: proxies.leave,
    counts: {
      sockets: () => [...countSockets(io), { nsp: LOGIN_NAMESPACE, transport: 'websocket', sockets: waiting.size }],
      people: () => countPeople(io),
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
        // Balancers that ask /readyz get this time to look elsewhere, before anybody is refused.
        await delay(options.drain.delayMs)
        draining = true
        await drain({ ...deps, http, io, ws, waiting, holds }, options.drain.windowMs)
        lateness.close()
        proxies.close()
      })()
      return closing
    },
  }
}
