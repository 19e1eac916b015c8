import { type Connection, connect, whenReady } from '@saoma/redis'
import { freePort } from './ports.ts'
import { type RedisServer, startRedis } from './redis.ts'

/** A real Redis Cluster of three masters on the loopback interface. */
export interface RedisClusterServer {
  /** `redis+cluster://127.0.0.1:port,…` */
  readonly url: string
  readonly ports: readonly number[]
  readonly nodes: readonly RedisServer[]
  stop(): Promise<void>
}

const MASTERS = 3
const SLOTS = 16_384
const READY_TIMEOUT_MS = 5_000
/** A master that starts alone waits some seconds before it calls the cluster well. */
const FORMED_TIMEOUT_MS = 20_000

const startMaster = async () => {
  const busPort = await freePort()
  const server = await startRedis({
    args: ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-node-timeout', '2000'],
  })
  return { server, busPort }
}

const open = async (server: RedisServer): Promise<Connection> => {
  const connection = connect({ url: server.url, name: 'saoma-testing', onError: () => {} })
  await whenReady(connection, READY_TIMEOUT_MS)
  return connection
}

/** Resolves when every master sees all slots served. */
export const startRedisCluster = async (): Promise<RedisClusterServer> => {
  const masters = await Promise.all(Array.from({ length: MASTERS }, startMaster))
  const nodes = masters.map(({ server }) => server)
  const connections = await Promise.all(nodes.map(open))
  try {
    await Promise.all(
      connections.map(async (connection, i) => {
        const [from, to] = [Math.ceil((SLOTS * i) / MASTERS), Math.ceil((SLOTS * (i + 1)) / MASTERS) - 1]
        // Distinct epochs from the start, or the masters first have to settle whose is whose.
        await connection.call('CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`)
        await connection.call('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`)
      }),
    )
    for (const { server, busPort } of masters.slice(1))
      await connections[0]?.call('CLUSTER', 'MEET', '127.0.0.1', `${server.port}`, `${busPort}`)
    await Promise.all(
      nodes.map((node) => node.nextLine(({ text }) => text.includes('Cluster state changed: ok'), FORMED_TIMEOUT_MS)),
    )
  } finally {
    for (const connection of connections) connection.disconnect()
  }

  const ports = nodes.map(({ port }) => port)
  return {
    url: `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`,
    ports,
    nodes,
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  }
}
