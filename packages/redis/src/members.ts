import { type Holder, READING_MS } from './membership.ts'
import type { RedisClients } from './redis.ts'
import { orUnavailable } from './replies.ts'

/** A process that holds the name of a node, as it describes itself. */
export interface Member {
  host: string
  pid: number
  /** Version of its program; undefined for builds that did not write it down yet. */
  release?: string
}

/** The last reading of a node's clock that it wrote down. */
export interface MemberClock {
  /** What the clock said, in milliseconds since 1970. */
  said: number
  /** Milliseconds since Redis stored it, measured by Redis. */
  agoMs: number
}

/**
 * The process that holds a name; undefined if nobody does. It only reads. Rejects with RedisUnavailable.
 */
export const memberOf = async (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  nodeId: string,
): Promise<Member | undefined> => {
  const text = await orUnavailable(data.get(keys.nodeName(nodeId)))
  if (text === null) return undefined
  const { host, pid, release } = JSON.parse(text) as Holder
  return { host, pid, ...(release === undefined ? {} : { release }) }
}

/**
 * The reading of a node's clock; undefined if there is none, as of builds that did not write it down yet. It
 * only reads. Rejects with RedisUnavailable.
 */
export const clockOf = async (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  nodeId: string,
): Promise<MemberClock | undefined> => {
  const key = keys.nodeClock(nodeId)
  // Sent together, so one reading and its age.
  const [said, leftMs] = await orUnavailable(Promise.all([data.get(key), data.pttl(key)]))
  return said === null || leftMs < 0 ? undefined : { said: Number(said), agoMs: READING_MS - leftMs }
}

/**
 * The ids of the nodes that live, sorted. Every node renews a lease for its presence in the Redis of the
 * channels, so nobody has to search all keys. It only reads. Rejects with RedisUnavailable.
 */
export const nodesAlive = async ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>): Promise<string[]> => {
  const [seconds, microseconds] = await orUnavailable(data.time())
  const now = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000)
  const names = await orUnavailable(data.zrange(keys.nodes(), `${now}`, '+inf', 'BYSCORE'))
  // A name is the node's id, a dot and a random part.
  return [...new Set(names.map((name) => name.slice(0, name.lastIndexOf('.'))))].sort()
}
