import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, whenReady } from '@saoma/redis'
import { onCleanup } from './cleanup.ts'
import { until } from './metrics.ts'
import { freePort } from './ports.ts'
import { startProcess } from './process.ts'
import { requireProgram } from './programs.ts'
import {
  accessSettings,
  inUrl,
  REPLICATION,
  type RedisAccess,
  type RedisServer,
  startRedis,
  urlBefore,
} from './redis.ts'

export interface RedisSentinelOptions extends RedisAccess {
  /** Password of the Sentinel itself. @default none */
  sentinelPassword?: string
}

/**
 * A real master with two replicas, and a Sentinel that declares a master down after half a second of silence.
 */
export interface RedisSentinelServer {
  /** `redis+sentinel://127.0.0.1:port/saoma` */
  readonly url: string
  /** Port of the Sentinel. */
  readonly port: number
  readonly master: RedisServer
  readonly replicas: readonly RedisServer[]
  /** Resolves when the Sentinel has promoted another master. */
  switched(): Promise<void>
  stop(): Promise<void>
}

const NAME = 'saoma'
const REPLICAS = 2
const READY_TIMEOUT_MS = 20_000
const SWITCH_TIMEOUT_MS = 20_000

const startReplica = async (master: RedisServer, access: RedisAccess): Promise<RedisServer> => {
  const { host = '127.0.0.1' } = access
  const replica = await startRedis({
    ...access,
    args: ['--replicaof', host, `${master.port}`, '--repl-diskless-sync-delay', '0'],
  })
  await replica.nextLine(({ text }) => text.includes('sync: Finished with success'), READY_TIMEOUT_MS)
  return replica
}

/**
 * Resolves when writes reach the replicas. After a synchronisation a replica gets writes only once it has
 * acknowledged it, which it does once a second.
 */
const attached = async ({ operator }: RedisServer): Promise<void> => {
  const connection = connect({ ...operator, name: 'saoma-testing', onError: () => {} })
  await whenReady(connection, READY_TIMEOUT_MS)
  await until(
    async () => {
      await connection.set('saoma:attached', '', 'PX', 1_000)
      return connection.wait(REPLICAS, 1_000)
    },
    (count) => count === REPLICAS,
  )
  connection.disconnect()
}

export const startRedisSentinel = async (options: RedisSentinelOptions = {}): Promise<RedisSentinelServer> => {
  const { sentinelPassword, ...access } = options
  const { host = '127.0.0.1', user, password, ...rest } = access
  const reached = { ...rest, host }
  const master = await startRedis({ ...access, args: ['--repl-diskless-sync-delay', '0'] })
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startReplica(master, access)))
  await attached(master)
  const dir = await mkdtemp(join(tmpdir(), 'saoma-sentinel-'))
  onCleanup(() => rm(dir, { recursive: true, force: true }))
  const port = await freePort()
  // The Sentinel writes its state into its own configuration file.
  const file = join(dir, 'sentinel.conf')
  const settings = [
    `sentinel monitor ${NAME} ${host} ${master.port} 1`,
    ...(user ? [`sentinel auth-user ${NAME} ${REPLICATION.user}`] : []),
    ...(user || password ? [`sentinel auth-pass ${NAME} ${user ? REPLICATION.password : password}`] : []),
    `sentinel down-after-milliseconds ${NAME} 500`,
    `sentinel failover-timeout ${NAME} 3000`,
    `sentinel parallel-syncs ${NAME} ${REPLICAS}`,
    ...accessSettings(port, { ...reached, ...(sentinelPassword ? { password: sentinelPassword } : {}) })
      // Only for data servers.
      .filter(([name]) => name !== 'masterauth')
      .map((setting) => setting.join(' ')),
  ]
  await writeFile(file, settings.join('\n'))
  const command = requireProgram('redis')
  const sentinel = await startProcess({ name: 'sentinel', command, args: [file, '--sentinel'] })
  for (const _ of replicas) await sentinel.nextLine(({ text }) => text.includes('+slave slave'), READY_TIMEOUT_MS)
  return {
    url: `${urlBefore('+sentinel', access)}${inUrl(host)}:${port}/${NAME}`,
    port,
    master,
    replicas,
    switched: async () =>
      void (await sentinel.nextLine(({ text }) => text.includes('+switch-master'), SWITCH_TIMEOUT_MS)),
    stop: async () => void (await Promise.all([sentinel, master, ...replicas].map((one) => one.stop()))),
  }
}
