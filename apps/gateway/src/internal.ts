import { createServer, type Server } from 'node:http'
import type { RedisClients } from '@saoma/redis'
import type { Metrics } from './metrics.ts'

/** What is counted only when somebody asks. */
export interface Counts {
  sockets(): { namespace: string; transport: string; sockets: number }[]
  live(): { channels: number; followers: number }
}

/**
 * The port for operators. `/healthz` never asks Redis: a blip of Redis must not restart every node at once, which would turn it
 * into a storm of reconnects. `/readyz` says whether new traffic should come here.
 */
export const createInternalServer = (
  redis: Pick<RedisClients, 'unavailable' | 'echoAge' | 'subscriber'>,
  metrics: Metrics,
  isDraining: () => boolean,
  counts: Counts,
): Server =>
  createServer(async (req, res) => {
    const say = (status: number, body: unknown) => {
      res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
      res.end(JSON.stringify(body))
    }
    const missing = redis.unavailable()
    switch (req.url?.split('?')[0]) {
      case '/healthz':
        return say(200, { ok: true })
      case '/startupz':
        return say(200, { ok: true })
      case '/readyz': {
        const reasons = [...missing.map((role) => `redis:${role}`), ...(isDraining() ? ['draining'] : [])]
        return say(reasons.length === 0 ? 200 : 503, { ok: reasons.length === 0, reasons })
      }
      case '/metrics': {
        for (const client of ['data', 'pub', 'sub'] as const)
          metrics.redisUp.set({ client }, missing.includes(client) ? 0 : 1)
        metrics.connections.reset()
        for (const { sockets, ...labels } of counts.sockets()) metrics.connections.inc(labels, sockets)
        const { channels, followers } = counts.live()
        metrics.channels.set(channels)
        metrics.followers.set(followers)
        metrics.subscriptions.set(redis.subscriber.size)
        metrics.echoAge.set(redis.echoAge())
        metrics.draining.set(isDraining() ? 1 : 0)
        res.writeHead(200, { 'Content-Type': metrics.registry.contentType })
        return res.end(await metrics.registry.metrics())
      }
      default:
        return say(404, { ok: false })
    }
  })
