import { Cluster, type Redis } from 'ioredis'
import { reply } from './connection.ts'
import type { RedisClients } from './redis.ts'

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

/**
 * Looks whether Redis is one that we can work with: every master's version and eviction policy, and sharded pub/sub.
 * Rejects with RedisUnsuitable, or RedisUnavailable.
 *
 * @returns what Redis would not tell, for the log
 */
export const assertSuitable = async ({ data, pub, keys }: RedisClients): Promise<string[]> => {
  const problems: string[] = []
  const untold: string[] = []
  for (const master of mastersOf(data)) {
    const where = `${master.options.host}:${master.options.port}`
    const sections: string[] = []
    const refusal = await refusalOf(
      (async () => {
        for (const section of ['server', 'memory']) sections.push(await master.info(section))
      })(),
    )
    if (refusal === undefined) problems.push(...problemsOf(sections.join('\n'), where))
    else untold.push(`Redis at ${where} does not say its version and eviction policy (${refusal})`)
  }
  const refusal = await refusalOf(pub.spublish(`${keys.prefix}#start`, ''))
  if (refusal !== undefined)
    problems.push(
      /NOPERM/.test(refusal)
        ? `Redis does not let this user publish: give it the channels ${keys.prefix}* (${refusal})`
        : `Redis has no sharded pub/sub, which carries everything between the nodes (${refusal})`,
    )
  if (problems.length > 0) throw new RedisUnsuitable(problems)
  return untold
}
