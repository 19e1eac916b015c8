import { Cluster, type Redis } from 'ioredis'
import type { Connection } from './connection.ts'
import { orUnavailable, RedisUnavailable } from './replies.ts'
import { learnSlots, mastersOf, runOf } from './requirements.ts'
import { firstSlot, SLOTS, slotsOf, textOf } from './slot-ranges.ts'
import { shardAt } from './tags.ts'

/**
 * Where a walk stands: between two calls of SCAN. It is good for any node of the cluster. Slots are written
 * as ranges: `0-5460,10923-16383`.
 */
export interface WalkPlace {
  /** Slots that were walked through. */
  done: string
  /** The master in which the walk stands: those of its slots, its run, and its own cursor. */
  at?: { slots: string; run: string; scan: string } | undefined
}

export interface WalkStep {
  keys: string[]
  /** Where to go on; undefined when all masters were walked through. */
  next?: WalkPlace
}

/** The walk through a single server. */
const ALL = `0-${SLOTS - 1}`

/** The master of a slot. Rejects while nobody is known to have it: a walk must not leave it out. */
const masterOf = (data: Connection, slot: number): Redis => {
  if (!(data instanceof Cluster)) return data
  const place = data.slots[slot]?.[0]
  const master = mastersOf(data).find((one) => shardAt(data, one) === place)
  if (!master) throw new RedisUnavailable(`nobody has slot ${slot} of the Redis Cluster`)
  return master
}

const ownedBy = (data: Connection, master: Redis): Set<number> => {
  if (!(data instanceof Cluster)) return slotsOf(ALL)
  const place = shardAt(data, master)
  return new Set(data.slots.flatMap((places, slot) => (places?.[0] === place ? [slot] : [])))
}

/** Pattern of SCAN for keys that begin and end so. */
const patternOf = (begin: string, end: string): string => {
  const literal = (text: string) => text.replace(/[\\*?[\]^]/g, '\\$&')
  return `${literal(begin)}*${literal(end)}`
}

/**
 * Walks through the keys of all masters, a bounded step at a time. A key that is there all the time is found
 * at least once, whatever comes, goes or moves meanwhile:
 * - SCAN's cursor is good for one run of one server. If another server has taken over, its keys are walked
 *   through from the beginning.
 * - Slots are done when one master was walked through and still has them. Those that have left it are walked
 *   through at their new master.
 *
 * So a key may come twice. In a cluster with very many ranges of slots it may come more often, because a
 * place names only the lowest ones, see `textOf`. Rejects with RedisUnavailable.
 */
export const createWalk = ({ data }: { data: Connection }, begin: string, end: string) => {
  const pattern = patternOf(begin, end)
  const runs = new Map<Redis, string>()
  const runKnown = async (master: Redis): Promise<string> => {
    const run = runs.get(master) ?? (await runOf(master))
    runs.set(master, run)
    return run
  }

  /** Where the walk goes on. */
  const resume = async ({ done, at }: WalkPlace) => {
    const first = firstSlot(at?.slots ?? '')
    if (at && first !== undefined) {
      const master = masterOf(data, first)
      if ((await runKnown(master)) === at.run) return { master, ...at }
    }
    const walked = slotsOf(done)
    const next = Array.from({ length: SLOTS }, (_, slot) => slot).find((slot) => !walked.has(slot))
    if (next === undefined) return undefined
    const master = masterOf(data, next)
    const slots = [...ownedBy(data, master)].filter((slot) => !walked.has(slot))
    return { master, slots: textOf(new Set(slots)), run: await runKnown(master), scan: '0' }
  }

  let isFirst = true
  /** One call of SCAN. `count` is about how many keys it looks at. */
  return async (place: WalkPlace, count: number): Promise<WalkStep> => {
    // The connection itself learns of moved slots only from a command that goes to one of them.
    if (isFirst) await learnSlots(data)
    isFirst = false
    const here = await resume(place)
    if (!here) return { keys: [] }
    const { master, slots, run } = here
    const [scan, keys] = await orUnavailable(master.scan(here.scan, 'MATCH', pattern, 'COUNT', count))
    if (scan !== '0') return { keys, next: { done: place.done, at: { slots, run, scan } } }
    await learnSlots(data)
    const kept = ownedBy(data, master)
    const walked = slotsOf(place.done)
    for (const slot of slotsOf(slots)) if (kept.has(slot)) walked.add(slot)
    return walked.size === SLOTS ? { keys } : { keys, next: { done: textOf(walked) } }
  }
}
