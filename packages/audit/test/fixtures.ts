import { randomBytes, randomUUID } from 'node:crypto'
import type { Result } from '@saoma/protocol'
import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup } from '@saoma/testing'
import { Redis } from 'ioredis'
import { type Audit, type AuditOptions, createAudit, type Entry, type Note } from '../src/index.ts'
import { partOfPerson } from '../src/parts.ts'

export const uniquePrefix = () => `test-${randomUUID()}`
/** A person whom nobody else knows. */
export const drawPerson = () => randomBytes(16).toString('base64url')
/** A person of the same part as another one. */
export const neighbourOf = (person: string): string => {
  for (;;) {
    const other = drawPerson()
    if (partOfPerson(other) === partOfPerson(person)) return other
  }
}
export const DAY_MS = 86_400_000
export const SECRET = 'a secret of tests, which nobody keeps'

export const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(`expected a value, got ${result.code}`)
  return result.value
}

export const openRedis = async (url: string, prefix: string): Promise<RedisClients> => {
  const redis = await createRedis({ url, prefix })
  onCleanup(() => redis.close())
  return redis
}

/** The audit of one node. */
export const openAudit = (redis: RedisClients, options: Partial<AuditOptions> = {}): Audit => {
  const audit = createAudit(redis, {
    node: 'a',
    secrets: [SECRET],
    entries: 100_000,
    keepMs: 90 * DAY_MS,
    ...options,
  })
  onCleanup(() => audit.close())
  return audit
}

/** Notes all of these, and waits until they are written. */
export const write = async (audit: Audit, notes: readonly Note[]): Promise<void> => {
  for (const note of notes) audit.note(note)
  await audit.flush()
}

/** All entries of a query, over as many pages as it takes. */
export const readAll = async (audit: Audit, query: Parameters<Audit['read']>[0] = {}): Promise<Entry[]> => {
  const all: Entry[] = []
  let { cursor } = query
  for (;;) {
    const page = value(await audit.read({ ...query, ...(cursor === undefined ? {} : { cursor }) }))
    all.push(...page.entries)
    if (!page.more) return all
    cursor = page.cursor
  }
}

/** The servers of a connection. */
export const serversOf = ({ data }: RedisClients): Redis[] => (data instanceof Redis ? [data] : data.nodes('master'))

/** Everything that Redis holds under a prefix, as one text: names and contents. */
export const contentOf = async (redis: RedisClients): Promise<string> => {
  const texts: string[] = []
  for (const server of serversOf(redis))
    for (const key of (await server.keys(`${redis.keys.prefix}:*`)).sort()) {
      const type = await server.type(key)
      const held =
        type === 'stream'
          ? await server.xrange(key, '-', '+')
          : type === 'zset'
            ? await server.zrange(key, '0', '-1')
            : type === 'hash'
              ? await server.hgetall(key)
              : await server.get(key)
      texts.push(`${key} ${JSON.stringify(held)}`)
    }
  return texts.join('\n')
}

/** The numbers from 0 on, so many of them. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
