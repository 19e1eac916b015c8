import { type App, startApp } from './app.ts'
import type { Line } from './lines.ts'
import { liveSettings } from './live-settings.ts'

export interface GatewayOptions {
  redisUrl: string
  /** 1 to 16 of a-z, 0-9. */
  nodeId: string
  /** Public origin of the cluster. */
  origin: string
  /** Settings that override those of a test; `''` is the gateway's own default. */
  env?: Record<string, string>
  /** Called for every line of its log. */
  onLine?: (line: Line) => void
}

/** One node as a process. `stop` sends SIGTERM, and the node drains. */
export interface Gateway extends App {
  readonly id: string
  /** The node's own origin, without nginx. */
  readonly origin: string
  /** Origin of /healthz, /readyz and /metrics. */
  readonly internalOrigin: string
}

/**
 * Settings in which tests differ from operators: demo phones, no drain, and limits that one address does not
 * reach.
 */
const testSettings = {
  ...liveSettings,
  SAOMA_DEMO: 'true',
  SAOMA_SECRET: 'a secret of tests, which nobody keeps',
  SAOMA_DRAIN_WINDOW_MS: '0',
  SAOMA_LIMIT_CODES: '100000',
  SAOMA_LIMIT_CODES_CLUSTER: '1000000',
  SAOMA_LIMIT_DEMO_PEOPLE: '100000',
  SAOMA_LIMIT_REQUESTS: '1000000',
  SAOMA_LIMIT_DECISIONS: '100000',
  SAOMA_LIMIT_HANDSHAKES: '100000',
}

export const startGateway = async ({
  redisUrl,
  nodeId,
  origin,
  env = {},
  onLine,
}: GatewayOptions): Promise<Gateway> => {
  const app = await startApp({
    app: 'gateway',
    name: `gateway ${nodeId}`,
    env: {
      ...testSettings,
      HOST: '127.0.0.1',
      REDIS_URL: redisUrl,
      SAOMA_NODE_ID: nodeId,
      SAOMA_ORIGIN: origin,
      ...env,
    },
    ...(onLine ? { onLine } : {}),
  })
  return Object.assign(app, {
    id: nodeId,
    origin: `http://127.0.0.1:${app.port}`,
    internalOrigin: `http://127.0.0.1:${app.internalPort}`,
  })
}
