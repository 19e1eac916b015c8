import calculateSlot from 'cluster-key-slot'
import { Redis } from 'ioredis'
import { type Connection, RedisUnavailable, reply } from './connection.ts'

export interface ReplicasOptions {
  /** How many must have a write before it counts as done; 0 asks none. */
  count: number
  /** Milliseconds that they may take. */
  timeoutMs: number
}

/** One wait for many writes of one master: those that come while one is under way share the next. */
interface Group {
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
  const address = connection.slots[calculateSlot(key)]?.[0]
  return connection.nodes('master').find(({ options }) => `${options.host}:${options.port}` === address)
}

/**
 * Resolves when so many replicas have what was written to `key`'s master over this connection, else rejects with RedisUnavailable: the
 * write is done and may be lost with its master. Call it right after the write's reply. A write that is repeated and then passes is
 * safe. Commands of the connection wait behind it (`WAIT` blocks it), so it costs each of them up to the replicas' lag, and once up to
 * `timeoutMs` when replicas go missing.
 */
export const createReplicas = (connection: Connection, { count, timeoutMs }: ReplicasOptions) => {
  const groups = new WeakMap<Redis, Group>()

  const groupOf = (master: Redis): Group => {
    const known = groups.get(master)
    if (known) return known
    const group: Group = { generation: 0, short: false }
    master.on('close', () => group.generation++)
    groups.set(master, group)
    return group
  }

  const joined = (master: Redis, group: Group): Promise<number> => {
    group.next ??= (async () => {
      await group.running?.catch(() => {})
      group.running = group.next
      delete group.next
      const have = await reply(master.wait(count, group.short ? Math.min(SHORT_MS, timeoutMs) : timeoutMs))
      group.short = have < count
      return have
    })()
    return group.next
  }

  return async (key: string): Promise<void> => {
    if (count === 0) return
    const master = masterOf(connection, key)
    if (!master) throw new RedisUnavailable('the master of the key is not known')
    const group = groupOf(master)
    const { generation } = group
    const have = await joined(master, group)
    if (group.generation !== generation)
      throw new RedisUnavailable('the connection was lost before replicas had the write')
    if (have < count) throw new RedisUnavailable(`${have} of ${count} replicas have the write`)
  }
}
