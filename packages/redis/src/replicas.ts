import { Redis } from 'ioredis'
import type { Connection } from './connection.ts'
import { hold } from './hold.ts'
import type { Keys } from './keys.ts'
import { orUnavailable, RedisUnavailable } from './replies.ts'
import { shardAt, shardOf } from './tags.ts'

export interface ReplicasOptions {
  /** How many replicas must acknowledge a write; 0 turns the wait off. */
  count: number
  /** Milliseconds that the acknowledgement may take. */
  timeoutMs: number
}

/** One WAIT for many writes to one master. Writes that arrive during a WAIT share the next one. */
interface Group {
  /**
   * Commands that another master redirected here with ASK, because it is handing over the slot and no longer
   * has the key.
   */
  asked: number
  /** Connections made so far. A WAIT covers only the writes of its own connection. */
  generation: number
  running?: Promise<number>
  next?: Promise<number>
  /**
   * The last WAIT failed. Until one succeeds, each WAIT is short, so that it does not block the connection.
   */
  short: boolean
}

/** Timeout of a WAIT after one has failed. */
const SHORT_MS = 20

const masterOf = (connection: Connection, key: string): Redis | undefined => {
  if (connection instanceof Redis) return connection
  const shard = shardOf(connection, key)
  return connection.nodes('master').find((master) => shardAt(connection, master) === shard)
}

/** See `createReplicas`. */
export interface Replicas {
  /** Whether replicas are required. */
  asksReplicas: boolean
  /**
   * Call it before a write, with every key that is written. Call the function that it returns right after the
   * replies. It resolves when enough replicas have the writes. Otherwise it rejects with RedisUnavailable:
   * the writes are done, but may be lost with the master. It also rejects if another master has taken over a
   * key meanwhile, whichever of the two ran the write, because the new master's replicas may not have it.
   * Callers may retry: a retry that succeeds is safe.
   */
  writing(...keys: readonly string[]): () => Promise<void>
  /**
   * Resolves when enough replicas of these keys' masters accept writes at the moment, else rejects with
   * RedisUnavailable. Call it before something is consumed: `writing` fails too late for that, and proves
   * nothing if no new write is made.
   */
  reachReplicas(...toBeWritten: readonly string[]): Promise<void>
}

/** TTL of a key that is written only to be acknowledged. */
const TOUCH_MS = 10_000

/**
 * Waits for replicas with `WAIT`. It blocks the connection, so each command behind it is delayed by up to the
 * replicas' lag, and once by up to `timeoutMs` when replicas disappear. In a Redis Cluster every master that
 * was written to is asked.
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

  /** Only the target of an ASK redirection sees it, so count it there. */
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
      throw new RedisUnavailable('the connection was lost before the replicas acknowledged the write')
    if (have < count) throw new RedisUnavailable(`${have} of ${count} replicas have the write`)
  }

  /** One key for each master. */
  const byMaster = (keys: readonly string[]): Map<Redis, string> => {
    const found = new Map<Redis, string>()
    for (const key of keys) {
      const master = masterOf(connection, key)
      if (!master) throw new RedisUnavailable('the master of the key is unknown')
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
          throw new RedisUnavailable('another master took over before the replicas acknowledged the write')
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
