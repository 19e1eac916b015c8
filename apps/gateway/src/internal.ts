import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { RedisClients } from '@saoma/redis'
import type { Metrics } from './metrics.ts'
import type { Room } from './open-redis.ts'

/** What is counted only when somebody asks. */
export interface Counts {
  sockets(): { nsp: string; transport: string; sockets: number }[]
  people(): number
  tickets(): number
  live(): { channels: number; followers: number }
}

export interface InternalDeps {
  redis: Pick<RedisClients, 'unavailable' | 'refusal' | 'echoAge' | 'subscriber'>
  /** The Redis of the live channels, when they have one of their own. */
  channelsRedis?: Pick<RedisClients, 'unavailable' | 'refusal' | 'echoAge' | 'subscriber'>
  /** In the Redis of the channels. */
  room: Pick<Room, 'part' | 'isFull' | 'isUnfit'>
  metrics: Metrics
  isDraining: () => boolean
  /** Whether the event loop does not keep up. */
  isLate: () => boolean
  counts: Counts
}

/**
 * The port for operators. `/healthz` never asks Redis: a blip of Redis must not restart every node at once, which would turn it
 * into a storm of reconnects. `/startupz` waits for the first message that the node sent itself through Redis. `/readyz` says whether new
 * traffic should come here, and why not: `redis:data`, `redis:pub`, `redis:sub`, `draining`, and where Redis refuses what is written its word
 * for that, as in `redis:data:READONLY`. That the event loop is late is told there too,
 * but turns nobody away: after an outage all nodes are late at once, and a cluster that is slow is better than one that is not there. Nor
 * does what is wrong with the channels' own Redis (`channels:data`, …) or its room (`channels:full`, `channels:unfit`): logins go on.
 */
export const createInternalServer = ({
  redis,
  channelsRedis,
  room,
  metrics,
  isDraining,
  isLate,
  counts,
}: InternalDeps): Server => {
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<unknown> => {
    const say = (status: number, body: unknown) => {
      res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
      res.end(JSON.stringify(body))
    }
    const missing = redis.unavailable()
    const missingOfChannels = channelsRedis?.unavailable() ?? []
    switch (req.url?.split('?')[0]) {
      case '/healthz':
        return say(200, { ok: true })
      case '/startupz': {
        const heard = redis.echoAge() !== undefined
        return say(heard ? 200 : 503, { ok: heard })
      }
      case '/readyz': {
        const why = missing.map((role) => ['redis', role, redis.refusal(role) ?? []].flat().join(':'))
        const reasons = [...why, ...(isDraining() ? ['draining'] : [])]
        const warnings = [
          ...(isLate() ? ['event-loop'] : []),
          ...missingOfChannels.map((role) => ['channels', role, channelsRedis?.refusal(role) ?? []].flat().join(':')),
          ...(room.isFull() ? ['channels:full'] : []),
          ...(room.isUnfit() ? ['channels:unfit'] : []),
        ]
        return say(reasons.length === 0 ? 200 : 503, { ok: reasons.length === 0, reasons, warnings })
      }
      case '/metrics': {
        for (const role of ['data', 'pub', 'sub'] as const) {
          metrics.redisUp.set({ client: role }, missing.includes(role) ? 0 : 1)
          if (channelsRedis)
            metrics.redisUp.set({ client: `channels:${role}` }, missingOfChannels.includes(role) ? 0 : 1)
        }
        metrics.redisRefuses.reset()
        for (const client of missing) {
          const reason = redis.refusal(client)
          if (reason) metrics.redisRefuses.set({ client, reason }, 1)
        }
        for (const role of missingOfChannels) {
          const reason = channelsRedis?.refusal(role)
          if (reason) metrics.redisRefuses.set({ client: `channels:${role}`, reason }, 1)
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
        metrics.subscriptions.set(redis.subscriber.size + (channelsRedis?.subscriber.size ?? 0))
        metrics.echoAge.set(Math.max(redis.echoAge() ?? 0, channelsRedis?.echoAge() ?? 0))
        metrics.draining.set(isDraining() ? 1 : 0)
        const text = await metrics.registry.metrics()
        res.writeHead(200, { 'Content-Type': metrics.registry.contentType })
        return res.end(text)
      }
      default:
        return say(404, { ok: false })
    }
  }
  return createServer((req, res) => {
    answer(req, res).catch((error: unknown) => {
      // Whoever asks is not to wait for ever for an answer that failed.
      if (!res.headersSent) res.writeHead(500, { 'Content-Type': 'text/plain' })
      res.end(String(error))
    })
  })
}
