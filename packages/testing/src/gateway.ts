import { type App, startApp } from './app.ts'
import type { Line } from './lines.ts'
import type { Exit } from './process.ts'

export interface GatewayOptions {
  redisUrl: string
  /** 1 to 16 of a-z, 0-9. */
  nodeId: string
  /** Public origin of the cluster. */
  origin: string
  /** Settings on top of, or instead of, those of a test. */
  env?: Record<string, string>
  watch?: boolean
  onLine?: (line: Line) => void
}

/** One node as a process of its own. */
export interface Gateway {
  readonly id: string
  /** Where this node itself answers, past nginx. */
  readonly origin: string
  readonly port: number
  /** Origin of /healthz, /readyz and /metrics. */
  readonly internalOrigin: string
  /** Of the present process; `restart` changes it, as it does `exited` and `lines`. */
  readonly pid: number
  readonly exited: Promise<Exit>
  readonly lines: readonly Line[]
  /** See `Process.nextLine`. */
  nextLine(matches: (line: Line) => boolean, timeoutMs?: number): Promise<Line>
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Ends it if it runs, and starts it again on the same ports. */
  restart(): Promise<void>
  /** SIGTERM: the node drains first. */
  stop(): Promise<void>
}

/** What a test wants otherwise than an operator: demo phones, a short drain, and limits that one address does not reach. */
const testSettings = {
  SAOMA_DEMO: 'true',
  SAOMA_SECRET: 'a secret of tests, which nobody keeps',
  SAOMA_DRAIN_WINDOW_MS: '500',
  SAOMA_LIMIT_CODES: '100000',
  SAOMA_LIMIT_REQUESTS: '1000000',
  SAOMA_LIMIT_DECISIONS: '100000',
  SAOMA_LIMIT_HANDSHAKES: '100000',
}

export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const { redisUrl, nodeId, origin, env = {}, watch, onLine } = options
  const launch = (ports: Record<string, string>): Promise<App> =>
    startApp({
      app: 'gateway',
      name: `gateway ${nodeId}`,
      env: {
        ...testSettings,
        HOST: '127.0.0.1',
        PORT: '0',
        INTERNAL_PORT: '0',
        REDIS_URL: redisUrl,
        SAOMA_NODE_ID: nodeId,
        SAOMA_ORIGIN: origin,
        ...env,
        ...ports,
      },
      ...(watch ? { watch } : {}),
      ...(onLine ? { onLine } : {}),
    })

  let app = await launch({})
  const { port, internalPort } = app

  return {
    id: nodeId,
    origin: `http://127.0.0.1:${port}`,
    port,
    internalOrigin: `http://127.0.0.1:${internalPort}`,
    get pid() {
      return app.process.pid
    },
    get exited() {
      return app.process.exited
    },
    get lines() {
      return app.process.lines
    },
    nextLine: (matches, timeoutMs) => app.process.nextLine(matches, timeoutMs),
    kill: (signal) => app.process.kill(signal),
    restart: async () => {
      await app.process.stop()
      app = await launch({ PORT: `${port}`, INTERNAL_PORT: `${internalPort}` })
    },
    stop: () => app.process.stop(),
  }
}
