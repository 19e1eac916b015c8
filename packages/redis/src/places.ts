import { hash } from 'node:crypto'
import { every } from './every.ts'
import type { Keys } from './keys.ts'
import type { RedisClients } from './redis.ts'
import { script } from './script.ts'

export interface PlacesOptions {
  /** Part of the key. */
  name: string
  /** This node's name in the cluster. */
  nodeId: string
  /** Quota of places per subject on all nodes together, in addition to `free` on each node. */
  limit: number
  /** Places per subject that each node grants without asking Redis. */
  free: number
  /** Milliseconds between two renewals of a node's places. @default 60000 */
  sayMs?: number
}

/** A concurrency quota per subject over all nodes. */
export interface Places {
  /**
   * Takes a place. Resolves with a function that gives it back (safe to call twice), or with undefined when
   * no place is left. Rejects with RedisUnavailable.
   */
  enter(subject: string): Promise<(() => void) | undefined>
  close(): void
}

/** Places that a node takes at once. */
const SLICE = 50
/** A node renews its places at this interval. After three missed renewals its places are released. */
const SAY_MS = 60_000
const FORGET_MS = 3 * SAY_MS
/** Subjects that are renewed at the same time. */
const BATCH = 1_000

const hold = script<[places: string], [node: string, holds: number, ms: number, limit: number], boolean>(
  'places',
  1,
  (raw) => raw === 1,
)

/** Key of the places of a subject. */
export const placesKey = (keys: Keys, name: string, subject: string): string =>
  keys.places(name, hash('sha256', subject, 'base64url'))

interface Held {
  used: number
  /** Places that this node holds in Redis. */
  told: number
  asking: Promise<boolean> | undefined
}

/**
 * Counts in slices, as budgets do: a subject with few places costs no call. All nodes together grant `limit`,
 * plus `free` on each node. The places of a node that dies expire three minutes later.
 */
export const createPlaces = (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  { name, nodeId, limit, free, sayMs = SAY_MS }: PlacesOptions,
): Places => {
  const all = new Map<string, Held>()

  const say = (subject: string, held: Held, holds: number, most: number): Promise<boolean> => {
    const key = placesKey(keys, name, subject)
    held.asking = hold(data, [key], [nodeId, holds, FORGET_MS, most])
      .then((granted) => {
        if (granted) held.told = holds
        return granted
      })
      .finally(() => {
        held.asking = undefined
      })
    return held.asking
  }

  const leave = (subject: string, held: Held): void => {
    held.used--
    if (held.used > 0) return
    if (held.told === 0 && !held.asking) all.delete(subject)
  }

  /** Places are given back only here, so that a subject that comes and goes does not call Redis each time. */
  const sayAgain = async ([subject, held]: [string, Held]): Promise<void> => {
    const needed = Math.max(0, held.used - free)
    const holds = Math.min(held.told, Math.ceil(needed / SLICE) * SLICE)
    // A failed renewal is repeated in the next round.
    if (held.told > 0 && !held.asking) await say(subject, held, holds, 0).catch(() => {})
    if (held.used === 0 && held.told === 0 && !held.asking) all.delete(subject)
  }
  /** In parallel, so that a shard that does not answer delays no other. */
  const sayAll = async (): Promise<void> => {
    const subjects = [...all]
    for (let i = 0; i < subjects.length; i += BATCH) await Promise.all(subjects.slice(i, i + BATCH).map(sayAgain))
  }
  const stop = every(sayMs, () => void sayAll())

  return {
    enter: async (subject) => {
      const held = all.get(subject) ?? { used: 0, told: 0, asking: undefined }
      all.set(subject, held)
      held.used++
      let inside = true
      const out = () => {
        if (inside) leave(subject, held)
        inside = false
      }
      try {
        while (held.used > free + held.told) {
          if (held.asking) await held.asking
          else if (!(await say(subject, held, held.told + SLICE, limit))) {
            out()
            return undefined
          }
        }
        return out
      } catch (error) {
        out()
        throw error
      }
    },
    close: stop,
  }
}
