import { hash } from 'node:crypto'
import type { RedisClients } from './redis.ts'
import { script } from './script.ts'

export interface PlacesOptions {
  /** Part of its key. */
  name: string
  /** This node, as the others see it. */
  nodeId: string
  /**
   * Places that a subject may hold on all nodes together, besides those that each node gives without asking.
   */
  limit: number
  /** Those. */
  free: number
  /** Milliseconds between two times that a node says what it holds. @default 60000 */
  sayMs?: number
}

/** Places that a subject holds on all nodes at the same time. */
export interface Places {
  /**
   * Takes one, to be given back by calling what is returned (safe twice); undefined when there is none.
   * Rejects with RedisUnavailable.
   */
  enter(subject: string): Promise<(() => void) | undefined>
  close(): void
}

/** Places a node takes at once. */
const SLICE = 50
/** A node says it again in this time, and is forgotten when it has not three times. */
const SAY_MS = 60_000
const FORGET_MS = 3 * SAY_MS
/** Subjects that are said at the same time. */
const BATCH = 1_000

const hold = script<[places: string], [node: string, holds: number, ms: number, limit: number], boolean>(
  'places',
  1,
  (raw) => raw === 1,
)

interface Held {
  used: number
  /** What Redis was told that this node holds. */
  told: number
  asking: Promise<boolean> | undefined
}

/**
 * Counted in slices, as budgets are: who holds few never costs a call. So all nodes together give `limit` and
 * `free` each. A node that dies gives its places back by silence, three minutes later.
 */
export const createPlaces = (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  { name, nodeId, limit, free, sayMs = SAY_MS }: PlacesOptions,
): Places => {
  const all = new Map<string, Held>()

  const say = (subject: string, held: Held, holds: number, most: number): Promise<boolean> => {
    const key = keys.places(name, hash('sha256', subject, 'base64url'))
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

  /** What is no longer needed is given back here, so that whoever comes and goes does not ask each time. */
  const sayAgain = async ([subject, held]: [string, Held]): Promise<void> => {
    const needed = Math.max(0, held.used - free)
    const holds = Math.min(held.told, Math.ceil(needed / SLICE) * SLICE)
    // What cannot be said now is said the next time.
    if (held.told > 0 && !held.asking) await say(subject, held, holds, 0).catch(() => {})
    if (held.used === 0 && held.told === 0 && !held.asking) all.delete(subject)
  }
  /** Together, so that those on a shard that does not answer keep nobody waiting. */
  const sayAll = async (): Promise<void> => {
    const subjects = [...all]
    for (let i = 0; i < subjects.length; i += BATCH) await Promise.all(subjects.slice(i, i + BATCH).map(sayAgain))
  }
  const timer = setInterval(() => void sayAll(), sayMs).unref()

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
    close: () => clearInterval(timer),
  }
}
