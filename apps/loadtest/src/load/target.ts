import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Front, type Line, nodeIds, startFront } from '@saoma/testing'
import type { Options } from './options.ts'
import { type Store, startStore } from './store.ts'
import { UsageError } from './usage-error.ts'

/** The tested Saoma. */
export interface Target {
  url: string
  /** Absent if the user named it by URL. */
  own?: { front: Front; store: Store }
}

/** All clients run on one machine, and limits are not the subject of the test. */
const LIMITS = {
  SAOMA_LIMIT_CODES: '1000000',
  SAOMA_LIMIT_CODES_CLUSTER: '1000000',
  SAOMA_LIMIT_DEMO_PEOPLE: '1000000',
  SAOMA_LIMIT_REQUESTS: '1000000',
  SAOMA_LIMIT_DECISIONS: '1000000',
  SAOMA_LIMIT_HANDSHAKES: '1000000',
}
/** Connections of one nginx worker, which needs two for each client. */
const PROXY_CONNECTIONS = 16_384
const OTHER_CONNECTIONS = 2_000
/** nginx workers compete for connections, so some get more than their share. */
const UNEVEN = 1.5

const ANSWER_MS = 5_000

/** Throws UsageError when the address does not answer as a Saoma. */
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

/** A log file for each program of the cluster. Without a folder the output is dropped. */
const createLogs = async (folder: string | undefined) => {
  if (folder === undefined) return () => () => {}
  await mkdir(folder, { recursive: true })
  return (name: string) => {
    const file = createWriteStream(join(folder, `${name}.log`))
    return ({ text }: Line) => void file.write(`${text}\n`)
  }
}

/** @param sockets  that clients will open */
export const startTarget = async (options: Options, sockets: number): Promise<Target> => {
  const { url, redis, nodes, env, faults, logs } = options
  if (url) return { url }
  const logOf = await createLogs(logs)
  // A restarted Redis must find its data again.
  const store = await startStore({ kind: redis, durable: faults.length > 0, onLine: logOf('redis') })
  const nodeLogs = new Map(nodeIds(nodes).map((id) => [id, logOf(`node-${id}`)]))
  const front = await startFront(store.url, {
    nodes,
    env: { ...LIMITS, ...store.env, ...env },
    nginxEnv: {
      NGINX_CONNECTIONS: `${PROXY_CONNECTIONS}`,
      NGINX_WORKERS: `${Math.ceil((UNEVEN * (2 * sockets + OTHER_CONNECTIONS)) / PROXY_CONNECTIONS)}`,
      NGINX_ACCESS_LOG: 'off',
      NGINX_LIMIT_SENDERS: '65535',
    },
    onLine: (id, line) => nodeLogs.get(id)?.(line),
  })
  return { url: front.origin, own: { front, store } }
}
