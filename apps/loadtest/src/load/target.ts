import { type Cluster, startCluster } from '@saoma/testing'
import type { Options } from './options.ts'

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

/** @param sockets  that clients will have open */
export const startTarget = async ({ url, nodes, env, faults }: Options, sockets: number): Promise<Target> => {
  if (url) return { url }
  const cluster = await startCluster({
    nodes,
    env: { ...LIMITS, ...env },
    nginxEnv: {
      NGINX_CONNECTIONS: `${PROXY_CONNECTIONS}`,
      NGINX_WORKERS: `${Math.ceil((2 * sockets + OTHER_CONNECTIONS) / PROXY_CONNECTIONS)}`,
      NGINX_ACCESS_LOG: '/dev/null',
    },
    // Redis that is restarted has to find its data again.
    appendonly: faults.length > 0,
  })
  return { url: cluster.origin, cluster }
}
