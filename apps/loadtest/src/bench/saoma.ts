import { LIVE_ONLY } from '@saoma/protocol'
import { startGateway, startRedis, startRedisCluster, testApiKey } from '@saoma/testing'
import { startAuthority } from './authority.ts'
import type { System } from './cluster-under-test.ts'
import { ORIGIN } from './footprint.ts'
import { openPublisher } from './publisher.ts'

/** One machine hosts all clients of the cluster, so its limits are raised. */
const LIMITS = { SAOMA_LIMIT_HANDSHAKES: '1000000', SAOMA_LIMIT_KEY_EVENTS: '1000000' }

interface Store {
  url: string
  pids: readonly number[]
  stop(): Promise<unknown>
}

const openRedis = async (): Promise<Store> => {
  const { url, pid, stop } = await startRedis()
  return { url, pids: [pid], stop }
}

/** Three masters without replicas. */
export const openMasters = async (): Promise<Store> => {
  const { url, nodes, stop } = await startRedisCluster()
  return { url, pids: nodes.map(({ pid }) => pid), stop }
}

/**
 * Real gateways with production flags. A person's token is the person's name. The backend has a socket and an
 * API key.
 */
export const startSaoma = async (size: number, openStore: () => Promise<Store> = openRedis): Promise<System> => {
  const redis = await openStore()
  const authority = await startAuthority()
  const env = { ...LIMITS, SAOMA_AUTH_URL: authority.url }
  const gateways = await Promise.all(
    Array.from({ length: size }, (_, i) =>
      startGateway({ redisUrl: redis.url, nodeId: `bench${i}`, origin: ORIGIN, env }),
    ),
  )
  const urls = gateways.map(({ origin }) => origin)
  const publisher = await openPublisher(urls[0] ?? '', { token: testApiKey }, LIVE_ONLY)

  return {
    urls,
    nodes: gateways.map(({ pid }) => pid),
    redis: redis.pids,
    publish: async (channel, data) => {
      const ack = await publisher.emit('publish', { channel, event: 'tick', data })
      if (!Object(ack).ok) throw new Error(`not published: ${JSON.stringify(ack)}`)
    },
    stop: async () => {
      publisher.close()
      await Promise.all(gateways.map((gateway) => gateway.stop()))
      authority.close()
      await redis.stop()
    },
  }
}
