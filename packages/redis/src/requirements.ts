import { Cluster, type Redis } from 'ioredis'
import { reply } from './connection.ts'
import { placeOf } from './connector.ts'
import type { RedisClients } from './redis.ts'
import { drawTags, shardsOf } from './tags.ts'
import { type Failure, tryOut } from './trials.ts'

/** Redis would lose what it is given, or lacks what we need. A person can put it right, and its message says how. */
export class RedisUnsuitable extends Error {
  override readonly name = 'RedisUnsuitable'
  readonly code = 'REDIS_UNSUITABLE'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** Sharded pub/sub came with it. Valkey calls itself 7.2 or newer here. */
const OLDEST = 7

const fieldOf = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]

/** What is wrong with a server, by the sections `server` and `memory` of its INFO. `where` names it. */
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

/** An answer that is Redis's own: it will not be another one later. */
const refusalOf = async (pending: Promise<unknown>): Promise<string | undefined> => {
  try {
    await reply(pending)
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return error.message
    throw error
  }
  return undefined
}

const mastersOf = (data: RedisClients['data']): Redis[] => (data instanceof Cluster ? data.nodes('master') : [data])

/** Where a connection leads, also when Sentinels named the place. */
const whereOf = ({ stream, options }: Redis): string =>
  placeOf({
    host: stream?.remoteAddress ?? options.host ?? 'localhost',
    port: stream?.remotePort ?? options.port ?? 0,
  })

/** What a person does about it, in one sentence for what the user may not do and in one for what the server does not have. */
const problemsIn = (failures: readonly Failure[], where: string, user: string, prefix: string): string[] => {
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
    problems.push(`Redis at ${where} does not do ${names.join(', ')}, which a node needs (${missing[0]?.message})`)
  return problems
}

/**
 * Looks whether Redis is one that we can work with: on every master its version and eviction policy, and each command that is used, in
 * keys and channels of ours. Rejects with RedisUnsuitable, or RedisUnavailable.
 *
 * @returns what Redis would not tell, for the log
 */
export const assertSuitable = async ({ data, keys, asksReplicas }: RedisClients): Promise<string[]> => {
  const problems: string[] = []
  const untold: string[] = []
  const tags = drawTags(data, shardsOf(data))
  for (const master of mastersOf(data)) {
    const where = whereOf(master)
    const sections: string[] = []
    const refusal = await refusalOf(
      (async () => {
        for (const section of ['server', 'memory']) sections.push(await master.info(section))
      })(),
    )
    if (refusal === undefined) problems.push(...problemsOf(sections.join('\n'), where))
    else untold.push(`Redis at ${where} does not say its version and eviction policy (${refusal})`)
    const tag = tags.get(data instanceof Cluster ? `${master.options.host}:${master.options.port}` : '')
    // A master without slots, which gets them later.
    if (tag === undefined) continue
    const failures = await tryOut(master, keys, tag, asksReplicas, refusalOf)
    problems.push(...problemsIn(failures, where, master.options.username ?? 'default', keys.prefix))
  }
  if (problems.length > 0) throw new RedisUnsuitable(problems)
  return untold
}
