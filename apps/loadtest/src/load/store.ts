import {
  type Line,
  type RedisClusterServer,
  type RedisServer,
  startRedis,
  startRedisCluster,
  until,
} from '@saoma/testing'
import { Redis } from 'ioredis'

export const storeKinds = ['standalone', 'cluster'] as const
export type StoreKind = (typeof storeKinds)[number]

/** The Redis under the nodes. */
export interface Store {
  readonly kind: StoreKind
  readonly url: string
  /** All servers, replicas too. */
  readonly servers: readonly RedisServer[]
  /** Those that take writes at this moment. */
  masters(): Promise<RedisServer[]>
  /** The cluster behind it, if it is one. */
  readonly cluster?: RedisClusterServer
  /** Settings that the nodes need with it. */
  readonly env: Readonly<Record<string, string>>
}

export interface StoreOptions {
  kind: StoreKind
  /** Keep what is written over a restart, and have replicas in a cluster. */
  durable: boolean
  onLine?: (line: Line) => void
}

const SLOTS = 16_384
/**
 * Longer than a processor that is busy with the whole test stands still, shorter than anybody wants to wait
 * for a replica to take over.
 */
const NODE_TIMEOUT_MS = 3_000

/** Opens a connection for one act. */
export const withRedis = async <T>({ url }: RedisServer, act: (redis: Redis) => Promise<T>): Promise<T> => {
  const redis = new Redis(url)
  // What fails says so where it is awaited.
  redis.on('error', () => {})
  try {
    return await act(redis)
  } finally {
    redis.disconnect()
  }
}

const linesOf = (text: unknown): string[] => String(text).split('\r\n')

const isMaster = (server: RedisServer): Promise<boolean> =>
  withRedis(server, async (redis) => linesOf(await redis.info('replication')).includes('role:master'))

/** Those of the servers that take writes at this moment. */
export const mastersAmong = async (servers: readonly RedisServer[]): Promise<RedisServer[]> => {
  const are = await Promise.all(servers.map(isMaster))
  return servers.filter((_, i) => are[i])
}

const startStandalone = async ({ durable, onLine }: StoreOptions): Promise<Store> => {
  const server = await startRedis({ appendonly: durable, ...(onLine ? { onLine } : {}) })
  return { kind: 'standalone', url: server.url, servers: [server], masters: async () => [server], env: {} }
}

/**
 * Three masters. Where things are broken on purpose each has a replica, and the nodes acknowledge nothing
 * that the replica does not have: else what a master had acknowledged a moment before its end would be lost
 * with it, and nobody's fault.
 */
const startClusterOfRedis = async ({ durable, onLine }: StoreOptions): Promise<Store> => {
  const cluster = await startRedisCluster({
    ...(durable ? { replicas: true, appendonly: true, nodeTimeoutMs: NODE_TIMEOUT_MS } : {}),
    ...(onLine ? { onLine } : {}),
  })
  const servers = [...cluster.nodes, ...cluster.replicas]
  return {
    kind: 'cluster',
    url: cluster.url,
    servers,
    masters: () => mastersAmong(servers),
    cluster,
    env: durable ? { SAOMA_REDIS_REPLICAS: '1' } : {},
  }
}

export const startStore = (options: StoreOptions): Promise<Store> =>
  options.kind === 'cluster' ? startClusterOfRedis(options) : startStandalone(options)

/** What is still not as it should be, in words; empty when all is well. */
const unsettled = async ({ cluster, servers }: Store): Promise<string> => {
  if (!cluster) return ''
  const infos = await Promise.all(
    servers.map((server) =>
      withRedis(server, async (redis) => [
        ...linesOf(await redis.call('CLUSTER', 'INFO')),
        ...linesOf(await redis.info('replication')),
      ]).catch((): string[] => []),
    ),
  )
  const unwell = servers.filter((_, i) => !infos[i]?.includes('cluster_state:ok'))
  if (unwell.length > 0) return `${unwell.map(({ port }) => port).join(', ')} not ok`
  const masters = infos.filter((info) => info.includes('role:master'))
  const bare = masters.filter(
    (info) => !info.some((line) => line.startsWith('slave0:') && line.includes('state=online')),
  )
  if (cluster.replicas.length > 0 && (masters.length !== cluster.nodes.length || bare.length > 0))
    return `${masters.length} masters, ${bare.length} without a replica`
  const slots = [...(await cluster.masters()).values()].reduce((sum, its) => sum + its.length, 0)
  return slots === SLOTS ? '' : `${slots} slots have a master`
}

/** Resolves when every server is there, every slot has a master and every master its replica. */
export const settled = async (store: Store): Promise<void> => {
  await until(
    () => unsettled(store).catch(String),
    (wrong) => wrong === '',
  )
}
