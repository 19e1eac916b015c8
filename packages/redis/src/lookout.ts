import type { Cluster } from 'ioredis'
import { every } from './every.ts'
import type { Shard, Shards } from './shards.ts'

export interface LookoutOptions {
  /** Called for a shard that answers although the other members say that it is no longer a master. */
  onDoubt: (shard: Shard) => void
  /** Called for such a shard that does not answer, either. */
  onGone: (shard: Shard) => void
}

/** How often the members are asked for the masters. */
const EVERY_MS = 1_000
/** A shard that does not answer within this time hangs. */
const ANSWER_MS = 500

/**
 * Detects a master that hangs while its replica takes over: a stopped process or a hanging machine. Its
 * connection stays open and silent, so only the other members can tell. All other changes are reported by the
 * shard itself.
 */
export const createLookout = (shards: Shards, cluster: Cluster, { onDoubt, onGone }: LookoutOptions) => {
  /** Since when a shard has not answered. */
  const owes = new WeakMap<Shard, number>()
  const asked = new WeakSet<Shard>()
  let known = ''
  let isLooking = false
  let isClosed = false

  const ask = (shard: Shard): void => {
    if (shard.connection.status !== 'ready') return void owes.delete(shard)
    if (!owes.has(shard)) owes.set(shard, performance.now())
    if (asked.has(shard)) return
    asked.add(shard)
    const done = () => {
      owes.delete(shard)
      asked.delete(shard)
    }
    // After a failure other than an error reply, the clock keeps running.
    shard.connection
      .ping()
      .then(done, (error: Error) => (error.name === 'ReplyError' ? done() : void asked.delete(shard)))
  }

  const judge = (shard: Shard): void => {
    if (isClosed || shards.named.includes(shard.key)) return
    const since = owes.get(shard)
    if (since === undefined) onDoubt(shard)
    else if (performance.now() - since >= ANSWER_MS) onGone(shard)
    else setTimeout(() => judge(shard), ANSWER_MS - (performance.now() - since)).unref()
  }

  const look = async (): Promise<void> => {
    for (const shard of shards) ask(shard)
    await shards.learn()
    const masters = shards.named.sort().join()
    // Commands to the former master get no reply, so no MOVED would redirect them.
    if (known !== '' && masters !== known) cluster.refreshSlotsCache()
    known = masters
    for (const shard of shards) judge(shard)
  }
  const lookOnce = async (): Promise<void> => {
    if (isLooking) return
    isLooking = true
    try {
      await look()
    } finally {
      isLooking = false
    }
  }

  const stop = every(EVERY_MS, () => void lookOnce())
  // A command was redirected to another master, so there may be new masters.
  cluster.on('refresh', lookOnce)
  return {
    close: (): void => {
      isClosed = true
      stop()
      cluster.off('refresh', lookOnce)
    },
  }
}
