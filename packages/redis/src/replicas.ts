import { Redis } from 'ioredis'
import type { Connection } from './connection.ts'
import { hold } from './hold.ts'
import type { Keys } from './keys.ts'
import { orUnavailable, RedisUnavailable } from './replies.ts'
import { shardAt, shardOf } from './tags.ts'

export interface ReplicasOptions {
  /** How many must have a write before it counts as done; 0 asks none. */
  count: number
  /** Milliseconds that they may take. */
  timeoutMs: number
}

/** One wait for many writes of one master: those that come while one is under way share the next. */
interface Group {
  /**
   * Commands that were sent here because another master, which is handing the slot over, no longer has the
   * key (ASK).
   */
  asked: number
  /** Connections made so far. What was written over an earlier one cannot be asked for over a later one. */
  generation: number
  running?: Promise<number>
  next?: Promise<number>
  /** The last wait was in vain: until one is not, none holds up the connection for long. */
  short: boolean
}

/** For replicas that were missing a moment ago. */
const SHORT_MS = 20

const masterOf = (connection: Connection, key: string): Redis | undefined => {
  if (connection instanceof Redis) return connection
  const shard = shardOf(connection, key)
  return connection.nodes('master').find((master) => shardAt(connection, master) === shard)
}

/** See `createReplicas`. */
export interface Replicas {
  /** Whether any are asked for. */
  asksReplicas: boolean
  /**
   * To be asked before a call writes, with every key that it writes. What it gives, called right after the
   * replies, resolves when so many replicas have what was written, else rejects with RedisUnavailable: the
   * writes are done and may be lost with a master. So they may be when another master has taken over a key
   * meanwhile, whichever of the two has run the write: the new one's replicas know nothing of it. A call that
   * is repeated and then passes is safe.
   */
  writing(...keys: readonly string[]): () => Promise<void>
  /**
   * Resolves when so many replicas of these keys' masters take writes at this moment, else rejects with
   * RedisUnavailable. To be asked before something is used up: `writing` alone comes too late for that, and
   * tells nothing as long as nothing new was written.
   */
  reachReplicas(...toBeWritten: readonly string[]): Promise<void>
}

/** What is written only to be waited for. */
const TOUCH_MS = 10_000

/**
 * The wait for replicas. Commands of the connection wait behind it (`WAIT` blocks it), so it costs each of
 * them up to the replicas' lag, and once up to `timeoutMs` when replicas go missing. In a Redis Cluster each
 * master that was written to is asked.
 */
export const createReplicas = (
  connection: Connection,
  { touch }: Pick<Keys, 'touch'>,
  { count, timeoutMs }: ReplicasOptions,
): Replicas => {
  const groups = new WeakMap<Redis, Group>()

  const groupOf = (master: Redis): Group => {
    const known = groups.get(master)
    if (known) return known
    const group: Group = { asked: 0, generation: 0, short: false }
    master.on('close', () => group.generation++)
    groups.set(master, group)
    return group
  }

  /** Redirections of that kind are seen by nobody but the master that they lead to. */
  const countAsked = (master: Redis): void => {
    const asking = master.asking.bind(master)
    const group = groupOf(master)
    master.asking = (...args: []) => {
      group.asked++
      return asking(...args)
    }
  }
  if (count > 0 && !(connection instanceof Redis)) {
    connection.nodes().forEach(countAsked)
    connection.on('+node', countAsked)
  }
  const askedOf = (): Map<Redis, number> =>
    new Map(
      connection instanceof Redis ? [] : connection.nodes('master').map((master) => [master, groupOf(master).asked]),
    )

  const joined = (master: Redis, group: Group): Promise<number> => {
    group.next ??= (async () => {
      await group.running?.catch(() => {})
      group.running = group.next
      delete group.next
      const have = await orUnavailable(master.wait(count, group.short ? Math.min(SHORT_MS, timeoutMs) : timeoutMs))
      group.short = have < count
      return have
    })()
    return group.next
  }

  const wait = async (master: Redis, generation: number): Promise<void> => {
    const group = groupOf(master)
    const have = await joined(master, group)
    if (group.generation !== generation)
      throw new RedisUnavailable('the connection was lost before replicas had the write')
    if (have < count) throw new RedisUnavailable(`${have} of ${count} replicas have the write`)
  }

  /** Of several keys of one master, one. */
  const byMaster = (keys: readonly string[]): Map<Redis, string> => {
    const found = new Map<Redis, string>()
    for (const key of keys) {
      const master = masterOf(connection, key)
      if (!master) throw new RedisUnavailable('the master of the key is not known')
      found.set(master, key)
    }
    return found
  }

  const writing = (...keys: readonly string[]): (() => Promise<void>) => {
    if (count === 0) return async () => {}
    const before = keys.map((key) => masterOf(connection, key))
    const generations = new Map([...new Set(before)].map((master) => [master, master && groupOf(master).generation]))
    const asked = askedOf()
    return async () => {
      for (const [i, key] of keys.entries())
        if (!before[i] || masterOf(connection, key) !== before[i])
          throw new RedisUnavailable('another master took over before replicas had the write')
      for (const [master, times] of askedOf())
        if (times !== (asked.get(master) ?? 0)) generations.set(master, groupOf(master).generation)
      await Promise.all([...generations].map(([master, at]) => master && wait(master, at ?? 0)))
    }
  }

  return {
    asksReplicas: count > 0,
    writing,
    reachReplicas: async (...toBeWritten) => {
      if (count === 0) return
      const touched = [...byMaster(toBeWritten).values()].map(touch)
      const replicated = writing(...touched)
      await Promise.all(touched.map((key) => hold(connection, [key], ['', TOUCH_MS])))
      await replicated()
    },
  }
}
