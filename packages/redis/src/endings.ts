import { setTimeout as delay } from 'node:timers/promises'
import type { Cause, Shard, Shards } from './shards.ts'
import type { Subscription } from './subscription.ts'
import { keyOf, movedTo, type Topology } from './topology.ts'

/** The subscriptions of a node, for those who find out that a shard has ended some. */
export interface Holdings {
  readonly shards: Shards
  readonly subscriptions: ReadonlyMap<string, Subscription>
  /** Takes channels from their shard: those of all it has that are gone. Returns those. */
  leaveAll(shard: Shard, cause: Cause, isGone: (channel: string, isConfirmed: boolean) => boolean): string[]
  /** Takes one from its shard. */
  leave(channel: string, cause: Cause): void
  /** Asks for channels that are of nobody. */
  ask(channels: Iterable<string>): void
  /** A channel is heard again that was away. */
  tell(channel: string, cause: Cause): void
  prune(): void
}

/** Between two looks at what a shard has ended, while it goes on ending. */
const AGAIN_MS = 100
/**
 * How often a shard is asked whether it still has what we think, in case it has said otherwise and was not
 * heard.
 */
const AUDIT_MS = 5_000

/** Subscriptions that Redis ended: it does so when a slot goes, with a push that names no channel. */
export class Endings {
  readonly #holdings: Holdings
  readonly #auditTimer: NodeJS.Timeout
  #isClosed = false

  constructor(holdings: Holdings) {
    this.#holdings = holdings
    this.#auditTimer = setInterval(() => void this.#audit(), AUDIT_MS).unref()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#auditTimer)
  }

  /** Finds out which subscriptions a shard has ended, and asks their slots' new owners for them. */
  async heed(shard: Shard): Promise<void> {
    if (shard.isHeeding) return
    shard.isHeeding = true
    const { shards, ask, prune } = this.#holdings
    try {
      let isUnexplained = false
      for (let isFirst = true; isFirst || shard.ended > 0; isFirst = false) {
        if (!isFirst) await delay(AGAIN_MS * (0.5 + Math.random()), undefined, { ref: false })
        const topology = await shards.ask(shard)
        if (this.#isClosed) return
        const cause = shard.ended > 0 ? 'pushed' : 'probe'
        const gone = this.#goneFrom(shard, topology, cause)
        shards.adopt(topology)
        const isStill = isUnexplained
        isUnexplained = gone.length === 0 && shard.ended > 0
        // A slot that came back before we asked shows nowhere, but its subscriptions were ended like the
        // others.
        if (isUnexplained && isStill) await this.#repeat(shard, cause)
        else shard.ended = Math.max(0, shard.ended - gone.length)
        ask(gone)
        prune()
      }
    } catch {
      // Its connection is lost, which is another way to the same end and takes `ended` back, or nobody
      // answers: soon again.
      if (shard.ended > 0 && !this.#isClosed) setTimeout(() => void this.heed(shard), AGAIN_MS).unref()
    } finally {
      shard.isHeeding = false
    }
  }

  #goneFrom(shard: Shard, topology: Topology, cause: Cause): string[] {
    const { shards, leaveAll } = this.#holdings
    return leaveAll(shard, cause, (channel, isConfirmed) => {
      // What is not confirmed yet is going to get an answer of its own.
      if (!isConfirmed) return false
      const owner = topology.ownerOf(shards.slotOf(channel))
      return !owner || keyOf(owner) !== shard.key
    })
  }

  /** Subscribes again to all that a shard has: what the repetition adds to Redis's count was away. */
  async #repeat(shard: Shard, cause: Cause): Promise<void> {
    shard.ended = 0
    const { shards, subscriptions, leave, ask, tell } = this.#holdings
    const bySlot = Map.groupBy(
      [...subscriptions].filter(([, one]) => one.shard === shard && one.isConfirmed),
      ([channel]) => shards.slotOf(channel),
    )
    const groups = [...bySlot.values()]
    let before = Number.POSITIVE_INFINITY
    const counts = await Promise.all(
      groups.map((group) =>
        shard.connection.ssubscribe(...group.map(([channel]) => channel)).catch((error) => {
          if (movedTo(error, shard.connection) && shard.ended > 0) shard.ended--
        }),
      ),
    )
    for (const [i, group] of groups.entries()) {
      const count = counts[i] as number | undefined
      // There is nothing to compare the first with; and what has ended meanwhile makes the count worth
      // nothing.
      const isKnown = i > 0 && shard.ended === 0 && count !== undefined && count <= before
      if (count !== undefined) before = count
      if (isKnown) continue
      for (const [channel, subscription] of group) {
        if (subscription.shard !== shard || subscriptions.get(channel) !== subscription) continue
        if (count !== undefined) tell(channel, cause)
        else {
          leave(channel, cause)
          ask([channel])
        }
      }
    }
  }

  async #audit(): Promise<void> {
    // One that stands still lets nobody else wait.
    await Promise.all([...this.#holdings.shards].map((shard) => this.heed(shard)))
  }
}
