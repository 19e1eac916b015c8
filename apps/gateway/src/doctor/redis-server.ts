import { problemsOf } from '@saoma/redis'
import type { Finding } from './finding.ts'
import { error, megabytes, ok, skipped, warning } from './findings.ts'
import type { Holds } from './open-redis.ts'

/** What a master says about itself. */
export interface ServerState {
  /** Its address. */
  where: string
  /** The sections of INFO. */
  info: { server: string; memory: string; persistence: string; replication: string }
  /** `save` and `appendfsync`, as far as it tells them: a provider may hide some, or all. */
  config?: Readonly<Record<string, string>>
}

/** What the settings want of it. */
export interface Wanted {
  replicas: number
  /** Share of the memory above which the channels do not write. */
  share: number
  isDemo: boolean
  holds: Holds
}

/** Above this share of the memory Redis will soon refuse writes. */
const NEARLY_FULL = 0.95
/** A replica that is further behind than this is no safety. */
const LAG_BYTES = 10 * 1_048_576
const LAG_SECONDS = 10

const fieldOf = (info: string, name: string): string => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? ''

const versionOf = ({ where, info: { server } }: ServerState): Finding => {
  const [problem] = problemsOf(server, where)
  if (problem) return error('redis-version', problem, 'Update it, or point REDIS_URL to a newer one.')
  const [valkey, redis] = [fieldOf(server, 'valkey_version'), fieldOf(server, 'redis_version')]
  return ok('redis-version', `Redis at ${where} is ${valkey ? `Valkey ${valkey}` : `version ${redis}`}.`)
}

const roleOf = ({ where, info: { replication } }: ServerState): Finding[] => {
  if (fieldOf(replication, 'role') !== 'slave') return []
  const master = `${fieldOf(replication, 'master_host')}:${fieldOf(replication, 'master_port')}`
  return [
    error(
      'redis-role',
      `Redis at ${where} is a replica of ${master}, so nodes cannot write there.`,
      'Let the setting name the master, or write redis+sentinel:// and name the Sentinels.',
    ),
  ]
}

const evictionOf = ({ where, info: { memory } }: ServerState): Finding => {
  const [problem] = problemsOf(memory, where)
  const todo = 'Run: redis-cli config set maxmemory-policy noeviction, and write it into the configuration of Redis.'
  if (problem) return error('redis-eviction', problem, todo)
  const policy = fieldOf(memory, 'maxmemory_policy') || 'noeviction'
  if (policy === 'noeviction') return ok('redis-eviction', `Redis at ${where} throws nothing away (noeviction).`)
  return warning(
    'redis-eviction',
    `Redis at ${where} has maxmemory-policy ${policy}, and no node starts any more once maxmemory is set.`,
    todo,
  )
}

const memoryOf = ({ where, info: { memory } }: ServerState, { share, holds }: Wanted): Finding => {
  const [used, most] = [Number(fieldOf(memory, 'used_memory')), Number(fieldOf(memory, 'maxmemory'))]
  if (!(most > 0))
    return warning(
      'redis-memory',
      `Redis at ${where} has no maxmemory: it grows until the system ends it, and channels cannot stop before that.`,
      'Set maxmemory below the memory of the machine or container, as docs/sizing.md computes it.',
    )
  const part = used / most
  const says = `Redis at ${where} uses ${megabytes(used)} of ${megabytes(most)} (${Math.round(part * 100)} %)`
  const todo = 'Raise maxmemory, or shorten what the channels keep.'
  if (part >= NEARLY_FULL) return error('redis-memory', `${says}: it refuses writes soon.`, todo)
  if (part >= share && holds !== 'logins')
    return warning('redis-memory', `${says}, so the channels take no messages (SAOMA_CHANNELS_MEMORY_SHARE).`, todo)
  if (part >= share) return warning('redis-memory', `${says}: there is little room.`, todo)
  return ok('redis-memory', `${says}.`)
}

const persistenceOf = (state: ServerState, { isDemo, holds }: Wanted): Finding => {
  const { where, info, config } = state
  const todo =
    'Run: redis-cli config set appendonly yes, and write appendonly yes and appendfsync everysec into the configuration.'
  if (fieldOf(info.persistence, 'aof_enabled') === '1') {
    const sync = config?.appendfsync
    return sync === 'no'
      ? warning(
          'redis-persistence',
          `Redis at ${where} keeps an append-only file and leaves it to the system when that is on the disk (appendfsync no): a lost machine may lose half a minute.`,
          'Set appendfsync everysec.',
        )
      : ok('redis-persistence', `Redis at ${where} keeps an append-only file${sync ? ` (appendfsync ${sync})` : ''}.`)
  }
  if (config?.save === undefined)
    return skipped(
      'redis-persistence',
      `Redis at ${where} has no append-only file, and does not say whether it saves snapshots.`,
      'Ask your provider what a restart loses, or let this user ask: ACL SETUSER … +config|get.',
    )
  if (config.save)
    return warning(
      'redis-persistence',
      `Redis at ${where} only saves snapshots (save ${config.save}): a restart loses the logins and messages since the last one.`,
      todo,
    )
  if (holds === 'channels')
    return warning(
      'redis-persistence',
      `Redis at ${where} keeps nothing on disk: after a restart the channels begin anew.`,
      todo,
    )
  const says = `Redis at ${where} keeps nothing on disk: after a restart all people have to log in again, with new ids.`
  if (Number(fieldOf(info.replication, 'connected_slaves')) > 0)
    return warning(
      'redis-persistence',
      `Redis at ${where} keeps nothing on disk, only in its replicas: if it is back before one of them takes over, it empties them, and all people have to log in again.`,
      todo,
    )
  return isDemo ? warning('redis-persistence', says, todo) : error('redis-persistence', says, todo)
}

const diskOf = ({ where, info: { persistence } }: ServerState): Finding => {
  const failed = [
    ['rdb_last_bgsave_status', 'its last snapshot'],
    ['aof_last_write_status', 'its append-only file'],
    ['aof_last_bgrewrite_status', 'the last rewrite of its append-only file'],
  ].flatMap(([name = '', what = '']) => {
    const status = fieldOf(persistence, name)
    return status === '' || status === 'ok' ? [] : [what]
  })
  return failed.length > 0
    ? error(
        'redis-disk',
        `Redis at ${where} could not write ${failed.join(' and ')}.`,
        'Look at its log, at the space and the rights of its folder (redis-cli config get dir).',
      )
    : ok('redis-disk', `Redis at ${where} could write to its disk whenever it had to.`)
}

const replicasOf = ({ where, info: { replication } }: ServerState, { replicas: wanted }: Wanted): Finding[] => {
  const offset = Number(fieldOf(replication, 'master_repl_offset'))
  const all = [...replication.matchAll(/^slave\d+:(.*?)\r?$/gm)].map(([, fields = '']) => {
    const of = new Map(fields.split(',').map((field) => field.split('=') as [string, string]))
    return {
      place: `${of.get('ip')}:${of.get('port')}`,
      isOnline: of.get('state') === 'online',
      bytes: offset - Number(of.get('offset')),
      seconds: Number(of.get('lag')),
    }
  })
  const online = all.filter(({ isOnline }) => isOnline)
  const have = `Redis at ${where} has ${online.length} of the ${wanted} replicas that SAOMA_REDIS_REPLICAS asks for`
  const todo = `Start replicas: have at least ${wanted + 1}, one more than SAOMA_REDIS_REPLICAS.`
  const number =
    online.length < wanted
      ? error('redis-replicas', `${have}: every write that has to be safe answers 503.`, todo)
      : wanted > 0 && online.length === wanted
        ? warning('redis-replicas', `${have}, and none more: without one of them writes answer 503.`, todo)
        : ok(
            'redis-replicas',
            wanted > 0
              ? `${have}, and ${online.length - wanted} more.`
              : `Redis at ${where} has ${online.length} replicas, and SAOMA_REDIS_REPLICAS asks for none.`,
          )
  const late = all.filter(
    ({ isOnline, bytes, seconds }) => !isOnline || bytes > LAG_BYTES || seconds > LAG_SECONDS || Number.isNaN(bytes),
  )
  return [
    number,
    ...late.map(({ place, isOnline, bytes, seconds }) =>
      warning(
        'redis-replica-lag',
        isOnline
          ? `The replica at ${place} of Redis at ${where} is ${megabytes(bytes)} behind, and last answered ${seconds} s ago.`
          : `The replica at ${place} of Redis at ${where} is connected and does not follow yet.`,
        'Look at its log and at the network between the two.',
      ),
    ),
  ]
}

/** Judges one master by what it says about itself. */
export const judgeServer = (state: ServerState, wanted: Wanted): Finding[] => [
  versionOf(state),
  ...roleOf(state),
  evictionOf(state),
  memoryOf(state, wanted),
  persistenceOf(state, wanted),
  diskOf(state),
  ...replicasOf(state, wanted),
]
