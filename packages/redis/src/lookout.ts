import type { Cluster } from 'ioredis'
import type { Shard, Shards } from './shards.ts'

export interface LookoutOptions {
  /** Told of a shard that answers, and of which the others say that it is no master any more. */
  onDoubt: (shard: Shard) => void
  /** Told of one that gives no answer either. */
  onGone: (shard: Shard) => void
}

/** How often the members are asked who the masters are. */
const EVERY_MS = 1_000
/** A shard that has not answered by then stands still. */
const ANSWER_MS = 500

/**
 * Finds the master that stands still while its replica takes over: a process that is stopped, a machine that
 * hangs. Its connection stays open and says nothing, so that only the other members can tell. Everything else
 * a shard tells of itself.
 */
export const createLookout = (shards: Shards, cluster: Cluster, { onDoubt, onGone }: LookoutOptions) => {
  /** Since when a shard owes an answer. */
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
    // Without an answer the time goes on.
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
    // Commands that go to the former one get no answer, and so nothing that would send them elsewhere.
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

  const timer = setInterval(lookOnce, EVERY_MS).unref()
  // Somebody was sent to another master, so that there may be others.
  cluster.on('refresh', lookOnce)
  return {
    close: (): void => {
      isClosed = true
      clearInterval(timer)
      cluster.off('refresh', lookOnce)
    },
  }
}
