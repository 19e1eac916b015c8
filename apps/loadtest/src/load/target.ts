import { type Cluster, startCluster } from '@saoma/testing'
import type { Options } from './options.ts'
import { UsageError } from './usage-error.ts'

/** The Saoma under test. */
export interface Target {
  url: string
  /** Absent when it is somebody else's. */
  cluster?: Cluster
}

/** All clients are one machine here, and a limit is not what is to be measured. */
const LIMITS = {
  SAOMA_LIMIT_CODES: '1000000',
  SAOMA_LIMIT_REQUESTS: '1000000',
  SAOMA_LIMIT_DECISIONS: '1000000',
  SAOMA_LIMIT_HANDSHAKES: '1000000',
}
/** Of one nginx worker, which takes two for each client. */
const PROXY_CONNECTIONS = 16_384
const OTHER_CONNECTIONS = 2_000
/** They take what comes as they come to it, so some of them get more than their share. */
const UNEVEN = 1.5

const ANSWER_MS = 5_000

/** Throws UsageError when nothing, or something else, is at the address. */
export const assertSaoma = async (url: string): Promise<void> => {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const answer = await fetch(`${url}/oidc/.well-known/openid-configuration`, { signal }).catch((error: unknown) => {
    const { message, cause } = Object(error) as { message?: string; cause?: { message?: string } }
    throw new UsageError(`--url: nothing answers at ${url}: ${cause?.message ?? message}`)
  })
  const configuration: unknown = await answer.json().catch(() => undefined)
  if (!answer.ok || typeof Object(configuration).device_authorization_endpoint !== 'string')
    throw new UsageError(`--url: what answers at ${url} is no Saoma (status ${answer.status})`)
}

/** @param sockets  that clients will have open */
export const startTarget = async ({ url, nodes, env, faults }: Options, sockets: number): Promise<Target> => {
  if (url) return { url }
  const cluster = await startCluster({
    nodes,
    env: { ...LIMITS, ...env },
    nginxEnv: {
      NGINX_CONNECTIONS: `${PROXY_CONNECTIONS}`,
      NGINX_WORKERS: `${Math.ceil((UNEVEN * (2 * sockets + OTHER_CONNECTIONS)) / PROXY_CONNECTIONS)}`,
      NGINX_ACCESS_LOG: 'off',
    },
    // Redis that is restarted has to find its data again.
    appendonly: faults.length > 0,
  })
  return { url: cluster.origin, cluster }
}
