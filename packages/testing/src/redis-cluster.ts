import type { Line } from './lines.ts'
import { until } from './metrics.ts'
import { freePort } from './ports.ts'
import { inUrl, type RedisAccess, type RedisServer, startRedis, urlBefore } from './redis.ts'
import { createTopology, everybodyKnown, type Member, open, type RedisTopology } from './redis-topology.ts'

export interface RedisClusterOptions extends RedisAccess {
  /** Give every master a replica. @default false */
  replicas?: boolean
  /** Host name that the members announce instead of their address. @default none */
  announces?: string
  /** Keeps append-only files, so that members can be killed and restarted with their data. @default false */
  appendonly?: boolean
  /**
   * Node timeout: a member that is silent for longer counts as failed, and the whole cluster refuses.
   * @default 2 s with replicas, else 15 s
   */
  nodeTimeoutMs?: number
  /** Called for every line of the members' logs. */
  onLine?: (line: Line) => void
}

/** A real Redis Cluster of three masters on the loopback interface. Its slots can be moved. */
export interface RedisClusterServer extends RedisTopology {
  /** `redis+cluster://127.0.0.1:port,…` */
  readonly url: string
  /** Ports of the original masters; `nodes` and `replicas` belong to these, too. */
  readonly ports: readonly number[]
  readonly nodes: readonly RedisServer[]
  /** One for each of `nodes`, in their order, if there are replicas. */
  readonly replicas: readonly RedisServer[]
  stop(): Promise<void>
}

const MASTERS = 3
const SLOTS = 16_384
/** A single new master waits some seconds before it reports the cluster as ok. */
const FORMED_TIMEOUT_MS = 20_000

/**
 * Node timeout: a member that is silent for longer counts as failed, and the whole cluster refuses. It is
 * short where a replica should take over. Otherwise it is long, so that a busy disk or processor does not
 * look like a failure.
 */
const NODE_TIMEOUT_MS = { alone: 15_000, replicated: 2_000 }

const startMember = async (options: RedisClusterOptions): Promise<Member> => {
  const { announces, nodeTimeoutMs, replicas = false, ...server } = options
  const timeoutMs = nodeTimeoutMs ?? (replicas ? NODE_TIMEOUT_MS.replicated : NODE_TIMEOUT_MS.alone)
  const busPort = await freePort()
  const args = [
    ['--cluster-enabled', 'yes'],
    ['--tls-cluster', server.tls ? 'yes' : 'no'],
    ['--cluster-port', `${busPort}`],
    ['--cluster-node-timeout', `${timeoutMs}`],
    // A full resynchronisation need not wait for other replicas.
    ['--repl-diskless-sync-delay', '0'],
    announces ? ['--cluster-announce-hostname', announces, '--cluster-preferred-endpoint-type', 'hostname'] : [],
  ].flat()
  return { server: await startRedis({ ...server, args }), busPort }
}

/** Resolves when it has its master's data. */
const startReplica = async (master: RedisServer, options: RedisClusterOptions): Promise<Member> => {
  const { server, busPort } = await startMember(options)
  const [replica, its] = await Promise.all([open(server), open(master)])
  try {
    const masterId = String(await its.call('CLUSTER', 'MYID'))
    const { host = '127.0.0.1' } = options
    const ownId = String(await replica.call('CLUSTER', 'MYID'))
    await its.call('CLUSTER', 'MEET', host, `${server.port}`, `${busPort}`)
    // A replica can follow only a master that it knows by gossip.
    await until(
      () => replica.call('CLUSTER', 'REPLICATE', masterId).then(String, String),
      (answer) => answer === 'OK',
    )
    await server.nextLine(({ text }) => text.includes('sync: Finished with success'), FORMED_TIMEOUT_MS)
    await until(
      async () => String(await its.call('CLUSTER', 'REPLICAS', masterId)),
      (list) => list.includes(ownId),
    )
  } finally {
    for (const connection of [replica, its]) connection.disconnect()
  }
  return { server, busPort }
}

/** Resolves when every master sees all slots served, and every member knows all others. */
export const startRedisCluster = async (options: RedisClusterOptions = {}): Promise<RedisClusterServer> => {
  const { replicas: hasReplicas = false, host = '127.0.0.1', announces } = options
  const start = () => startMember(options)
  const masters = await Promise.all(Array.from({ length: MASTERS }, start))
  const nodes = masters.map(({ server }) => server)
  const connections = await Promise.all(nodes.map(open))
  try {
    await Promise.all(
      connections.map(async (connection, i) => {
        const [from, to] = [Math.ceil((SLOTS * i) / MASTERS), Math.ceil((SLOTS * (i + 1)) / MASTERS) - 1]
        // Distinct config epochs from the start. Otherwise the masters first have to resolve conflicts about
        // slots.
        await connection.call('CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`)
        await connection.call('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`)
      }),
    )
    for (const { server, busPort } of masters.slice(1))
      await connections[0]?.call('CLUSTER', 'MEET', host, `${server.port}`, `${busPort}`)
    await Promise.all(
      nodes.map((node) => node.nextLine(({ text }) => text.includes('Cluster state changed: ok'), FORMED_TIMEOUT_MS)),
    )
  } finally {
    for (const connection of connections) connection.disconnect()
  }
  const replicas = hasReplicas ? await Promise.all(nodes.map((node) => startReplica(node, options))) : []
  const members = [...masters, ...replicas]
  await everybodyKnown(members, MASTERS)

  const ports = nodes.map(({ port }) => port)
  return {
    url: `${urlBefore('+cluster', options)}${ports.map((port) => `${inUrl(announces ?? host)}:${port}`).join(',')}`,
    ports,
    nodes,
    replicas: replicas.map(({ server }) => server),
    ...createTopology(members, start),
    stop: async () => void (await Promise.all(members.map(({ server }) => server.stop()))),
  }
}
