import { channelPattern } from '@saoma/protocol'
import { areSlots, createWalk, type RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import type { ChannelSummary } from './log.ts'

const Slots = v.pipe(v.string(), v.check(areSlots))
/** A cursor of SCAN has 64 bits. Redis refuses a larger one. */
const ScanCursor = v.pipe(
  v.string(),
  v.regex(/^\d{1,20}$/),
  v.check((text) => BigInt(text) < 2n ** 64n),
)

/** Names that were found and had no room in their page. There are few. */
const MOST_HELD = 32
/** Characters of these names together. A cursor travels in an address, which has 8,000 at most. */
const MOST_HELD_LENGTH = 2_000

/** Where a list of channels goes on. It names places in Redis and no count, so it outlives changes. */
export const ListPlace = v.strictObject({
  held: v.pipe(v.array(v.pipe(v.string(), v.regex(channelPattern))), v.maxLength(MOST_HELD)),
  /** Undefined when only what is held is left. */
  walk: v.optional(
    v.strictObject({
      done: Slots,
      at: v.optional(
        v.strictObject({
          slots: Slots,
          run: v.pipe(v.string(), v.maxLength(128)),
          scan: ScanCursor,
        }),
      ),
    }),
  ),
})
export type ListPlace = v.InferOutput<typeof ListPlace>

export interface ListRequest {
  /** Only channels whose name begins so. @default all */
  begin?: string
  /** Most channels of the page. */
  limit: number
  /** Where the page before ended. */
  place?: ListPlace
}

export interface ListPage {
  channels: ChannelSummary[]
  /** Undefined when there are no more. A page may be empty and still have a next one. */
  next?: ListPlace
}

/** Keys that are looked at for one page, about, and calls of SCAN. */
const MOST_LOOKED = 10_000
const MOST_STEPS = 200
/** Keys that are looked at in one call: as many as there is room for, and more where few are found. */
const LEAST_AT_ONCE = 10
const MOST_AT_ONCE = 1_000

/**
 * Lists the channels that had a message and are still remembered, in no order. The work for a page is
 * bounded, also for Redis, so a page may be short of its limit. A channel that is there all the time comes at
 * least once. It may come twice if slots of Redis move meanwhile or another server takes over.
 *
 * There is no set of all channels: each message would have to write to it, and it would lie in one slot.
 */
export const createListing =
  (redis: RedisClients, summary: (channel: string) => Promise<ChannelSummary>) =>
  async ({ begin = '', limit, place }: ListRequest): Promise<ListPage> => {
    const { keys } = redis
    // The name is between these two.
    const [before = '', after = ''] = keys.channelMeta('\0').split('\0')
    const step = createWalk(redis, `${before}${begin}`, after)
    const names = new Set(place?.held)
    let walk = place ? place.walk : { done: '' }
    let wide = 1
    for (let looked = 0, steps = 0; walk && names.size < limit && looked < MOST_LOOKED && steps < MOST_STEPS; steps++) {
      const room = limit - names.size
      const count = Math.min(Math.max(LEAST_AT_ONCE, room) * wide, MOST_AT_ONCE)
      const found = await step(walk, count)
      looked += count
      const isTooMuch = found.keys.length > room + MOST_HELD
      if (isTooMuch && wide > 1) {
        // What has no room would have to be in the cursor. So less is looked at from the same place.
        wide = 1
        continue
      }
      walk = found.next
      wide = found.keys.length * 4 < room ? wide * 2 : 1
      for (const key of found.keys) names.add(key.slice(before.length, key.length - after.length))
    }
    const all = [...names].filter((name) => channelPattern.test(name))
    // Even a narrow call of SCAN may give more than it was asked for. What cannot be held comes at once.
    let most = Math.max(limit, all.length - MOST_HELD)
    while (all.slice(most).join().length > MOST_HELD_LENGTH) most++
    const held = all.slice(most)
    const summaries = await Promise.all(all.slice(0, most).map(summary))
    return {
      // What was forgotten since it was found is left out.
      channels: summaries.filter(({ epoch }) => epoch !== undefined),
      ...(walk || held.length > 0 ? { next: { held, ...(walk ? { walk } : {}) } } : {}),
    }
  }
