import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, type Redis } from 'ioredis'
import { RedisUnavailable, reconnectDelayMs, whenReady } from './connection.ts'
import { placeOf } from './connector.ts'
import type { RedisClients } from './redis.ts'
import { verdict } from './replies.ts'
import { drawTags, shardAt } from './tags.ts'
import { type Failure, tryOut } from './trials.ts'

/** Redis could lose data, or lacks what we need. An operator can fix it; the message says how. */
export class RedisUnsuitable extends Error {
  override readonly name = 'RedisUnsuitable'
  readonly code = 'REDIS_UNSUITABLE'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** Keys of this many slots are tried while slots move. */
const MOST_TRIES = 5
/** Timeout for connecting to the masters of a Redis Cluster. */
const CONNECT_MS = 5_000
/** The first version with sharded pub/sub. Valkey reports 7.2 or newer here. */
const OLDEST = 7

const fieldOf = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]

/** Problems of a server, from the sections `server` and `memory` of its INFO. `where` names the server. */
export const problemsOf = (info: string, where: string): string[] => {
  const problems: string[] = []
  const version = fieldOf(info, 'redis_version') ?? ''
  if (Number.parseInt(version, 10) < OLDEST)
    problems.push(
      `Redis at ${where} is ${version}, which is too old: Redis ${OLDEST}.0, Valkey 7.2 or newer is needed.`,
    )
  const policy = fieldOf(info, 'maxmemory_policy') ?? 'noeviction'
  if (policy !== 'noeviction' && fieldOf(info, 'maxmemory') !== '0')
    problems.push(
      `Redis at ${where} throws data away when its memory is full (maxmemory-policy ${policy}), which would end logins and lose messages: set noeviction.`,
    )
  return problems
}

/** The message of Redis's own error reply, which a retry would not change. */
const refusalOf = async (pending: Promise<unknown>): Promise<string | undefined> => {
  try {
    await verdict(pending)
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return error.message
    throw error
  }
  return undefined
}

export const mastersOf = (data: RedisClients['data']): Redis[] =>
  data instanceof Cluster ? data.nodes('master') : [data]

/** The address that a connection leads to, also when Sentinels named it. */
export const whereOf = ({ stream, options }: Redis): string =>
  placeOf({
    host: stream?.remoteAddress ?? options.host ?? 'localhost',
    port: stream?.remotePort ?? options.port ?? 0,
  })

/**
 * The run of a server: another one after a restart, and of the replica that takes over. Its address, if the
 * user may not ask. Rejects with RedisUnavailable.
 */
export const runOf = async (server: Redis): Promise<string> => {
  let run: string | undefined
  const refusal = await refusalOf(
    (async () => {
      run = fieldOf(await server.info('server'), 'run_id')
    })(),
  )
  return (refusal === undefined ? run : undefined) ?? whereOf(server)
}

/**
 * What an operator has to do: one sentence for the user's missing rights, one for commands that the server
 * lacks.
 */
export const problemsIn = (failures: readonly Failure[], where: string, user: string, prefix: string): string[] => {
  const problems: string[] = []
  const forbidden = failures.filter(({ message }) => message.includes('NOPERM'))
  const missing = failures.filter((failure) => !forbidden.includes(failure))
  if (forbidden.length > 0) {
    const has = (words: string) => forbidden.some(({ message }) => message.includes(words))
    const commands = forbidden.filter(({ message }) => !/ of the (keys|channels) /.test(message))
    const rights = [
      ...(has(' of the keys ') ? [`~${prefix}:*`] : []),
      ...(has(' of the channels ') ? [`&${prefix}*`] : []),
      ...new Set(commands.map(({ command }) => `+${command.toLowerCase()}`)),
    ]
    problems.push(
      `Redis at ${where} does not let this user do all that a node needs (${forbidden[0]?.message}): ACL SETUSER ${user} ${rights.join(' ')}`,
    )
  }
  const names = [...new Set(missing.map(({ command }) => command))]
  if (names.some((name) => /^(SPUBLISH|SSUBSCRIBE|SUNSUBSCRIBE)$/.test(name)))
    problems.push(
      `Redis at ${where} has no sharded pub/sub, which carries everything between the nodes (${missing.at(-1)?.message})`,
    )
  else if (names.length > 0)
    problems.push(`Redis at ${where} does not support ${names.join(', ')}, which a node needs (${missing[0]?.message})`)
  return problems
}

/** Rejects with RedisUnavailable when no member knows the slots. */
export const learnSlots = (data: RedisClients['data']): Promise<void> =>
  new Promise((resolve, reject) => {
    if (!(data instanceof Cluster)) return resolve()
    data.refreshSlotsCache((error) =>
      error ? reject(new RedisUnavailable('Redis cannot be reached', { cause: error })) : resolve(),
    )
  })

/**
 * The commands that a master refuses, of all those that a node uses. While slots move, a master may redirect
 * a direct command. Then a key of another slot is tried.
 *
 * @param over  the connection that carries the trial
 */
export const refusedBy = async (
  { data, keys, asksReplicas }: Pick<RedisClients, 'data' | 'keys' | 'asksReplicas'>,
  master: Redis,
  over = master,
): Promise<Failure[]> => {
  const place = shardAt(data, master)
  for (let tries = 1; ; tries++) {
    const tag = drawTags(data, new Set([place])).get(place)
    // A master without slots, which may get some later.
    if (tag === undefined) return []
    const failures = await tryOut(over, keys, tag, asksReplicas, refusalOf)
    if (!failures.some(({ message }) => /^(MOVED|ASK) /.test(message))) return failures
    if (tries === MOST_TRIES) throw new RedisUnavailable(`slots of Redis at ${whereOf(master)} keep moving`)
    await delay(reconnectDelayMs(tries))
    await learnSlots(data)
  }
}

/**
 * What the user may not do on a master, or the server does not support, of all that a node does there: one
 * sentence each, with the line that mends it. It leaves a few keys of the prefix for ten seconds. Rejects
 * with RedisUnavailable, also when the server takes no writes at the moment.
 */
export const trialProblems = async (
  redis: Pick<RedisClients, 'data' | 'keys' | 'asksReplicas'>,
  master: Redis,
): Promise<string[]> =>
  problemsIn(await refusedBy(redis, master), whereOf(master), master.options.username ?? 'default', redis.keys.prefix)

/**
 * Checks every master: version, eviction policy, and each command that the product uses, on keys and channels
 * of our prefix. Rejects with RedisUnsuitable or RedisUnavailable.
 *
 * @returns what Redis would not report, for the log
 */
export const assertSuitable = async (
  redis: Pick<RedisClients, 'data' | 'keys' | 'asksReplicas'>,
): Promise<string[]> => {
  const { data } = redis
  const problems: string[] = []
  const untold: string[] = []
  const masters = mastersOf(data)
  // If no Redis Cluster member has answered yet, the list of masters is empty. That is not a pass.
  if (masters.length === 0 || data.status !== 'ready')
    throw new RedisUnavailable('Redis cannot be reached', { cause: new Error(`the connection is ${data.status}`) })
  // The masters are discovered a moment before they are connected.
  if (data instanceof Cluster) await whenReady(data, CONNECT_MS)
  for (const master of masters) {
    const where = whereOf(master)
    const sections: string[] = []
    const refusal = await refusalOf(
      (async () => {
        for (const section of ['server', 'memory']) sections.push(await master.info(section))
      })(),
    )
    if (refusal === undefined) problems.push(...problemsOf(sections.join('\n'), where))
    else untold.push(`Redis at ${where} does not say its version and eviction policy (${refusal})`)
    problems.push(...(await trialProblems(redis, master)))
  }
  if (problems.length > 0) throw new RedisUnsuitable(problems)
  return untold
}
