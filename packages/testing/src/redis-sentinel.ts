import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, whenReady } from '@saoma/redis'
import { onCleanup } from './cleanup.ts'
import { until } from './observe.ts'
import { freePort } from './ports.ts'
import { startProcess } from './process.ts'
import { requireProgram } from './programs.ts'
import { type RedisServer, startRedis } from './redis.ts'

/** A real master with two replicas, and a Sentinel that gives a silent master half a second. */
export interface RedisSentinelServer {
  /** `redis+sentinel://127.0.0.1:port/saoma` */
  readonly url: string
  readonly master: RedisServer
  readonly replicas: readonly RedisServer[]
  /** Resolves when the Sentinel has made another one the master. */
  switched(): Promise<void>
}

const NAME = 'saoma'
const REPLICAS = 2
const READY_TIMEOUT_MS = 20_000
const SWITCH_TIMEOUT_MS = 20_000

const startReplica = async (master: RedisServer): Promise<RedisServer> => {
  const replica = await startRedis({
    args: ['--replicaof', '127.0.0.1', `${master.port}`, '--repl-diskless-sync-delay', '0'],
  })
  await replica.nextLine(({ text }) => text.includes('sync: Finished with success'), READY_TIMEOUT_MS)
  return replica
}

/** Resolves when a write reaches the replicas: one that is just synchronised gets none before it has said so, once a second. */
const attached = async ({ url }: RedisServer): Promise<void> => {
  const connection = connect({ url, name: 'saoma-testing', onError: () => {} })
  await whenReady(connection, READY_TIMEOUT_MS)
  await until(
    async () => {
      await connection.set('attached', '', 'PX', 1_000)
      return connection.wait(REPLICAS, 1_000)
    },
    (count) => count === REPLICAS,
  )
  connection.disconnect()
}

export const startRedisSentinel = async (): Promise<RedisSentinelServer> => {
  const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startReplica(master)))
  await attached(master)
  const dir = await mkdtemp(join(tmpdir(), 'saoma-sentinel-'))
  onCleanup(() => rm(dir, { recursive: true, force: true }))
  const port = await freePort()
  // It writes what it learns into its own file.
  const file = join(dir, 'sentinel.conf')
  const settings = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${NAME} 500`,
    `sentinel failover-timeout ${NAME} 3000`,
    `sentinel parallel-syncs ${NAME} ${REPLICAS}`,
  ]
  await writeFile(file, settings.join('\n'))
  const command = requireProgram('redis')
  const sentinel = await startProcess({ name: 'sentinel', command, args: [file, '--sentinel'] })
  for (const _ of replicas) await sentinel.nextLine(({ text }) => text.includes('+slave slave'), READY_TIMEOUT_MS)
  return {
    url: `redis+sentinel://127.0.0.1:${port}/${NAME}`,
    master,
    replicas,
    switched: async () =>
      void (await sentinel.nextLine(({ text }) => text.includes('+switch-master'), SWITCH_TIMEOUT_MS)),
  }
}
