import { type Gateway, startGateway } from './gateway.ts'
import type { Line } from './lines.ts'
import { type Nginx, startNginx } from './nginx.ts'
import { freePort } from './ports.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { type Simulator, startSimulator } from './simulator.ts'

export interface FrontOptions {
  /** Number of gateways; their ids are a, b, c … @default 2 */
  nodes?: number
  /** Settings of all gateways. */
  env?: Record<string, string>
  /** Additional settings of one gateway. */
  envOf?: (nodeId: string) => Record<string, string>
  /** Settings of nginx/render.sh. */
  nginxEnv?: Record<string, string>
  /** Start a WeChat simulator for the gateways, perhaps with settings of its own. @default false */
  simulator?: boolean | { env: Record<string, string> }
  /** Public origin, if it is not nginx's own. */
  origin?: string
  /** Called for every line of a gateway's log. */
  onLine?: (nodeId: string, line: Line) => void
}

export interface ClusterOptions extends FrontOptions {
  /** Keeps an append-only file, so that Redis can be killed and restarted with its data. @default false */
  appendonly?: boolean
}

/** A cluster without Redis: nginx, and gateways as processes. */
export interface Front {
  readonly origin: string
  readonly nodes: readonly Gateway[]
  readonly nginx: Nginx
  readonly simulator?: Simulator
  stop(): Promise<void>
}

/** A whole cluster as operators run it: nginx, gateways as processes, Redis. */
export interface Cluster extends Front {
  readonly redis: RedisServer
}

const FIRST_LETTER = 'a'.charCodeAt(0)

/** Names of n nodes: a, b, c … */
export const nodeIds = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(FIRST_LETTER + i))

/** Starts nginx and gateways for a running Redis. */
export const startFront = async (redisUrl: string, options: FrontOptions = {}): Promise<Front> => {
  const { nodes: count = 2, env = {}, envOf = () => ({}), nginxEnv = {}, onLine } = options
  // The gateways need the origin, so nginx's port is chosen before they start. nginx needs their ports, so it
  // starts after them.
  const port = await freePort()
  const origin = options.origin ?? `http://127.0.0.1:${port}`
  const simulator = options.simulator
    ? await startSimulator(options.simulator === true ? {} : options.simulator)
    : undefined
  const nodes = await Promise.all(
    nodeIds(count).map((nodeId) =>
      startGateway({
        redisUrl,
        nodeId,
        origin,
        env: { ...simulator?.env, ...env, ...envOf(nodeId) },
        ...(onLine ? { onLine: (line: Line) => onLine(nodeId, line) } : {}),
      }),
    ),
  )
  const nginx = await startNginx({
    nodes,
    port,
    env: {
      SAOMA_LIMIT_MESSAGE_BYTES: env.SAOMA_LIMIT_MESSAGE_BYTES ?? '',
      NGINX_TELL: nodes.map(({ internalPort }) => `127.0.0.1:${internalPort}`).join(' '),
      ...nginxEnv,
    },
  })

  return {
    origin,
    nodes,
    nginx,
    ...(simulator ? { simulator } : {}),
    stop: async () => {
      await nginx.stop()
      await Promise.all(nodes.map((node) => node.stop()))
      await simulator?.stop()
    },
  }
}

export const startCluster = async ({ appendonly = false, ...options }: ClusterOptions = {}): Promise<Cluster> => {
  const redis = await startRedis({ appendonly })
  const front = await startFront(redis.url, options)
  return {
    ...front,
    redis,
    stop: async () => {
      await front.stop()
      await redis.stop()
    },
  }
}
