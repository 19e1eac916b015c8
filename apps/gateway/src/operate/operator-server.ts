import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { RedisClients } from '@saoma/redis'
import type { Metrics } from './metrics.ts'
import type { Room } from './open-redis.ts'
import { requestBounds } from './request-bounds.ts'

/** Numbers that are counted only on request. */
export interface Counts {
  sockets(): { nsp: string; transport: string; sockets: number }[]
  people(): number
  tickets(): number
  live(): { channels: number; followers: number }
}

/** The view of a running node for operators. */
export interface NodeView {
  redis: Pick<RedisClients, 'unavailable' | 'refusal' | 'echoAge' | 'subscriber'>
  /** The Redis of the live channels, if they have one of their own. */
  channelsRedis?: Pick<RedisClients, 'unavailable' | 'refusal' | 'echoAge' | 'subscriber'>
  /** The room in the Redis of the channels. */
  room: Pick<Room, 'part' | 'isFull' | 'isUnfit'>
  isDraining: () => boolean
  /** Answers a request below `/v1/admin/`. */
  admin: (req: IncomingMessage, res: ServerResponse) => unknown
  /** Sends away the sockets of one nginx run, on all nodes. Rejects with RedisUnavailable. */
  proxyLeaves: (run: string) => Promise<void>
  /** Whether the event loop is overloaded. */
  isLate: () => boolean
  counts: Counts
}

/** The operator port. It opens before the node is ready. */
export interface OperatorServer {
  /** Not listening yet. */
  server: Server
  /** Sets the sentence that says what the start waits for. */
  waitsFor(why: string): void
  /** Connects the running node. */
  open(inside: NodeView): void
}

/** Whether a text is a valid name of an nginx run. */
export const isRun = (name: string): boolean => /^[A-Za-z0-9-]{1,128}$/.test(name)
const PROXY_LEAVES = /^\/proxies\/([^/?]+)\/leave$/
const ADMIN = '/v1/admin/'
const ROLES = ['data', 'pub', 'sub'] as const

/** The state of the running node. */
export const judge = ({ redis, channelsRedis, room, isDraining, isLate }: NodeView) => {
  const whys = (of: string, { unavailable, refusal }: NodeView['redis']) =>
    unavailable().map((role) => [of, role, refusal(role) ?? []].flat().join(':'))
  const hasStarted = redis.echoAge() !== undefined
  const away = whys('redis', redis)
  return {
    hasStarted,
    reasons: [...away, ...(hasStarted || away.length > 0 ? [] : ['starting']), ...(isDraining() ? ['draining'] : [])],
    warnings: [
      ...(isLate() ? ['event-loop'] : []),
      ...(channelsRedis ? whys('channels', channelsRedis) : []),
      ...(room.isFull() ? ['channels:full'] : []),
      ...(room.isUnfit() ? ['channels:unfit'] : []),
    ],
  }
}

const gather = (metrics: Metrics, { redis, channelsRedis, room, isDraining, counts }: NodeView): void => {
  metrics.redisRefuses.reset()
  for (const [of, clients] of [
    ['', redis],
    ['channels:', channelsRedis],
  ] as const) {
    const away = clients?.unavailable() ?? []
    if (clients) for (const role of ROLES) metrics.redisUp.set({ client: `${of}${role}` }, away.includes(role) ? 0 : 1)
    for (const role of away) {
      const reason = clients?.refusal(role)
      if (reason) metrics.redisRefuses.set({ client: `${of}${role}`, reason }, 1)
    }
  }
  metrics.redisMemory.set(room.part() ?? 0)
  metrics.channelsRoom.set(room.isFull() || room.isUnfit() ? 0 : 1)
  metrics.connections.reset()
  for (const { sockets, ...labels } of counts.sockets()) metrics.connections.inc(labels, sockets)
  metrics.people.set(counts.people())
  metrics.watched.set(counts.tickets())
  const { channels, followers } = counts.live()
  metrics.channels.set(channels)
  metrics.followers.set(followers)
  const subscribers = [redis.subscriber, ...(channelsRedis ? [channelsRedis.subscriber] : [])]
  metrics.subscriptions.set(subscribers.reduce((sum, { size }) => sum + size, 0))
  metrics.pubsubReceived.reset()
  metrics.pubsubReceived.inc(subscribers.reduce((sum, { received }) => sum + received, 0))
  metrics.echoAge.set(Math.max(redis.echoAge() ?? 0, channelsRedis?.echoAge() ?? 0))
  metrics.draining.set(isDraining() ? 1 : 0)
}

/**
 * The server of the operator port:
 * - `/healthz` never asks Redis. Otherwise a short outage of Redis would restart every node at once, and
 *   cause a storm of reconnects.
 * - `/startupz` waits for the first message that the node sent to itself through Redis.
 * - `/readyz` says whether the node should get new traffic, and why not: `starting`, `redis:data`,
 *   `redis:pub`, `redis:sub`, `draining`. If Redis refuses writes, its error word follows, as in
 *   `redis:data:READONLY`. Warnings do not make the node unready: a late event loop, because after an outage
 *   all nodes are late at once, and a slow cluster is better than none; and problems of the channels' own
 *   Redis (`channels:data`, …) or its memory (`channels:full`, `channels:unfit`), because logins still work.
 * - `/v1/admin/…` is for administrators.
 * - `POST /proxies/{run}/leave` is called when nginx ends or reloads its configuration.
 *
 * @param bounds  other bounds of a request than those of the public port
 */
export const createOperatorServer = (metrics: Metrics, bounds: ServerOptions = {}): OperatorServer => {
  let inside: NodeView | undefined
  let why = 'the node is starting'
  for (const client of ROLES) metrics.redisUp.set({ client }, 0)

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<unknown> => {
    const say = (status: number, body: unknown) => {
      res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
      res.end(JSON.stringify(body))
    }
    const told = inside ? judge(inside) : { hasStarted: false, reasons: ['starting'], warnings: [], why }
    const { hasStarted, ...judgement } = told
    const [, run] = PROXY_LEAVES.exec(req.url ?? '') ?? []
    if (run !== undefined && isRun(run)) {
      if (req.method !== 'POST') return say(405, { ok: false })
      if (!inside) return say(503, { ok: false, why })
      return inside.proxyLeaves(run).then(
        () => say(202, { ok: true }),
        () => say(503, { ok: false, why: 'Redis cannot be asked' }),
      )
    }
    if (req.url?.startsWith(ADMIN)) return inside ? inside.admin(req, res) : say(503, { ok: false, why })
    switch (req.url?.split('?')[0]) {
      case '/healthz':
        return say(200, { ok: true })
      case '/startupz':
        return say(hasStarted ? 200 : 503, { ok: hasStarted, ...(hasStarted ? {} : judgement) })
      case '/readyz': {
        const ok = judgement.reasons.length === 0
        return say(ok ? 200 : 503, { ok, ...judgement })
      }
      case '/metrics': {
        if (inside) gather(metrics, inside)
        const text = await metrics.registry.metrics()
        res.writeHead(200, { 'Content-Type': metrics.registry.contentType })
        return res.end(text)
      }
      default:
        return say(404, { ok: false })
    }
  }
  const server = createServer({ ...requestBounds, ...bounds }, (req, res) => {
    answer(req, res).catch((error: unknown) => {
      // Always answer, so that the caller does not wait for ever.
      if (!res.headersSent) res.writeHead(500, { 'Content-Type': 'text/plain' })
      res.end(String(error))
    })
  })
  return {
    server,
    waitsFor: (sentence) => {
      why = sentence
    },
    open: (node) => {
      inside = node
    },
  }
}
