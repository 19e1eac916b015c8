import { setTimeout as delay } from 'node:timers/promises'
import { every } from './every.ts'
import type { Cause, Shard, Shards } from './shards.ts'
import type { Subscription } from './subscription.ts'
import { keyOf, movedTo, type Topology } from './topology.ts'

/** The subscriptions of a node, for code that detects that a shard has ended some of them. */
export interface Holdings {
  readonly shards: Shards
  readonly subscriptions: ReadonlyMap<string, Subscription>
  /** Removes from a shard the channels for which `isGone` is true. Returns them. */
  leaveAll(shard: Shard, cause: Cause, isGone: (channel: string, isConfirmed: boolean) => boolean): string[]
  /** Removes one channel from its shard. */
  leave(channel: string, cause: Cause): void
  /** Subscribes to channels that have no shard. */
  ask(channels: Iterable<string>): void
  /** Reports that a channel is heard again. */
  tell(channel: string, cause: Cause): void
  prune(): void
}

/** Pause between two checks while a shard goes on ending subscriptions. */
const AGAIN_MS = 100
/** How often each shard is asked for its slots, in case its notice was lost. */
const AUDIT_MS = 5_000

/**
 * Handles subscriptions that Redis has ended. Redis ends one when its slot moves away, with a push that names
 * no channel.
 */
export class Endings {
  readonly #holdings: Holdings
  readonly #stopAudits: () => void
  #isClosed = false

  constructor(holdings: Holdings) {
    this.#holdings = holdings
    this.#stopAudits = every(AUDIT_MS, () => void this.#audit())
  }

  close(): void {
    this.#isClosed = true
    this.#stopAudits()
  }

  /**
   * Finds out which subscriptions a shard has ended, and subscribes to them at the new owners of their slots.
   */
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
        // A slot that has already come back shows no change, but its subscriptions were ended, too.
        if (isUnexplained && isStill) await this.#repeat(shard, cause)
        else shard.ended = Math.max(0, shard.ended - gone.length)
        ask(gone)
        prune()
      }
    } catch {
      // Either the connection is lost, which resets `ended` and is handled elsewhere, or nobody answers. Then
      // try again soon.
      if (shard.ended > 0 && !this.#isClosed) setTimeout(() => void this.heed(shard), AGAIN_MS).unref()
    } finally {
      shard.isHeeding = false
    }
  }

  #goneFrom(shard: Shard, topology: Topology, cause: Cause): string[] {
    const { shards, leaveAll } = this.#holdings
    return leaveAll(shard, cause, (channel, isConfirmed) => {
      // An unconfirmed subscription will get its own reply.
      if (!isConfirmed) return false
      const owner = topology.ownerOf(shards.slotOf(channel))
      return !owner || keyOf(owner) !== shard.key
    })
  }

  /** Subscribes again to all channels of a shard. Those that increase Redis's count had been ended. */
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
      // The first group has no count to compare with. And if more subscriptions have ended meanwhile, the
      // count proves nothing.
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
    // In parallel, so that a shard that hangs does not delay the others.
    await Promise.all([...this.#holdings.shards].map((shard) => this.heed(shard)))
  }
}
