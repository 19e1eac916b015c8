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
  /** All servers, including replicas. */
  readonly servers: readonly RedisServer[]
  /** The servers that accept writes now. */
  masters(): Promise<RedisServer[]>
  /** The Redis Cluster, if the store is one. */
  readonly cluster?: RedisClusterServer
  /** Settings of the nodes for this store. */
  readonly env: Readonly<Record<string, string>>
}

export interface StoreOptions {
  kind: StoreKind
  /** Keep data over a restart. A cluster also gets replicas. */
  durable: boolean
  onLine?: (line: Line) => void
}

const SLOTS = 16_384
/** Longer than the busy machine may stall a process, but short enough to wait for a failover. */
const NODE_TIMEOUT_MS = 3_000

/** Opens a connection for one action. */
export const withRedis = async <T>({ url }: RedisServer, act: (redis: Redis) => Promise<T>): Promise<T> => {
  const redis = new Redis(url)
  // Errors surface where commands are awaited.
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

/** The servers that accept writes now. */
export const mastersAmong = async (servers: readonly RedisServer[]): Promise<RedisServer[]> => {
  const are = await Promise.all(servers.map(isMaster))
  return servers.filter((_, i) => are[i])
}

const startStandalone = async ({ durable, onLine }: StoreOptions): Promise<Store> => {
  const server = await startRedis({ appendonly: durable, ...(onLine ? { onLine } : {}) })
  return { kind: 'standalone', url: server.url, servers: [server], masters: async () => [server], env: {} }
}

/**
 * Three masters. In a run with faults each has a replica, and the nodes acknowledge a write only when the
 * replica has it. Otherwise a master's last acknowledged writes could die with it, and no component would be
 * at fault.
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

/** Describes what is still wrong; empty when the store is healthy. */
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

/** Resolves when every server answers, every slot has a master and every master its replica. */
export const settled = async (store: Store): Promise<void> => {
  await until(
    () => unsettled(store).catch(String),
    (wrong) => wrong === '',
  )
}
