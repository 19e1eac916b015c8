import { type Gateway, startGateway } from './gateway.ts'
import { type Nginx, startNginx } from './nginx.ts'
import { freePort } from './ports.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { type Simulator, startSimulator } from './simulator.ts'

export interface ClusterOptions {
  /** How many gateways; their ids are a, b, c … @default 2 */
  nodes?: number
  /** Settings of every gateway. */
  env?: Record<string, string>
  /** Settings of nginx/render.sh. */
  nginxEnv?: Record<string, string>
  /** Give the gateways a WeChat server. @default false */
  simulator?: boolean
  /** Public origin, when it is not nginx's own. */
  origin?: string
  /** Keep an append-only file, so that Redis can be killed and restarted with its data. @default false */
  appendonly?: boolean
}

/** The whole cluster as an operator runs it: nginx, gateways as processes, Redis. */
export interface Cluster {
  readonly origin: string
  readonly nodes: readonly Gateway[]
  readonly redis: RedisServer
  readonly nginx: Nginx
  readonly simulator?: Simulator
  stop(): Promise<void>
}

const FIRST_LETTER = 'a'.charCodeAt(0)

/** Names of n nodes: a, b, c … */
export const nodeIds = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(FIRST_LETTER + i))

export const startCluster = async (options: ClusterOptions = {}): Promise<Cluster> => {
  const { nodes: count = 2, env = {}, nginxEnv = {}, appendonly = false } = options
  // The gateways have to know the origin before nginx, which has to know their ports, can start.
  const port = await freePort()
  const origin = options.origin ?? `http://127.0.0.1:${port}`
  const [redis, simulator] = await Promise.all([
    startRedis({ appendonly }),
    options.simulator ? startSimulator() : undefined,
  ])
  const nodes = await Promise.all(
    nodeIds(count).map((nodeId) =>
      startGateway({ redisUrl: redis.url, nodeId, origin, env: { ...simulator?.env, ...env } }),
    ),
  )
  const nginx = await startNginx({ nodes, port, env: nginxEnv })

  return {
    origin,
    nodes,
    redis,
    nginx,
    ...(simulator ? { simulator } : {}),
    stop: async () => {
      await nginx.stop()
      await Promise.all(nodes.map((node) => node.stop()))
      await Promise.all([redis.stop(), simulator?.stop()])
    },
  }
}
