import { hash } from 'node:crypto'
import type { RedisClients } from './redis.ts'
import { script } from './script.ts'

export interface BudgetOptions {
  /** Part of its key. */
  name: string
  /** What a subject may spend in the window, on all nodes together. */
  limit: number
  windowMs: number
}

/** What all nodes together allow a subject. */
export interface Budget {
  /**
   * Spends. Resolves with undefined, or with the milliseconds until the budget is whole again when the cost
   * does not fit. Rejects with RedisUnavailable.
   */
  spend(subject: string, cost: number): Promise<number | undefined>
}

/**
 * A node takes this part of the budget at once, and spends as much in a window before it asks for the first
 * time.
 */
const SLICES = 20
/** Subjects that a node remembers. One that is forgotten has its free slice again. */
const MOST_SUBJECTS = 100_000

const spend = script<
  [spent: string],
  [limit: number, windowMs: number, settled: number, cost: number, slice: number],
  { taken: number; ms: number }
>('spend', 1, (raw) => {
  const [taken, ms] = raw as number[]
  return { taken: Number(taken), ms: Number(ms) }
})

/** What a node knows of a subject until the window ends. */
interface Purse {
  /** By the clock of `performance`. */
  endsAt: number
  /** Spent before asking, which Redis is told at the first question. */
  untold: number
  asked: boolean
  /** Taken in Redis and not spent. */
  left: number
  /** What did not fit: nothing as large will until the window ends. */
  refused: number
  asking: Promise<void> | undefined
}

/**
 * Counts in slices, because a counter in Redis for each message would double the cost of publishing. Who
 * spends little never costs a call; who spends much costs one for each slice, a twentieth of the limit. So
 * the limit holds but for one slice of each node (which it lets pass before it asks), and each node may hold
 * back a slice when it is nearly used up. The window is a fixed one: at its edge twice the limit may be spent
 * in one moment.
 */
export const createBudget = ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>, options: BudgetOptions): Budget => {
  const { name, limit, windowMs } = options
  const slice = Math.floor(limit / SLICES)
  /** Those that began last are last. */
  const purses = new Map<string, Purse>()

  const purseOf = (subject: string): Purse => {
    const now = performance.now()
    const known = purses.get(subject)
    if (known && (known.asking || known.endsAt > now)) return known
    const fresh = { untold: 0, asked: false, left: 0, refused: Number.POSITIVE_INFINITY, asking: undefined }
    const purse: Purse = { endsAt: now + windowMs, ...fresh }
    purses.delete(subject)
    purses.set(subject, purse)
    const [oldest] = purses.keys()
    if (purses.size > MOST_SUBJECTS && oldest !== undefined) purses.delete(oldest)
    return purse
  }

  const ask = async (subject: string, purse: Purse, cost: number): Promise<void> => {
    // A subject's name may have any characters, and a hash tag may not.
    const key = keys.budget(name, hash('sha256', subject, 'base64url'))
    const { taken, ms } = await spend(data, [key], [limit, windowMs, purse.untold, cost, slice])
    Object.assign(purse, { asked: true, untold: 0, endsAt: performance.now() + ms, left: purse.left + taken })
    if (taken === 0) purse.refused = Math.min(purse.refused, cost)
  }

  return {
    spend: async (subject, cost) => {
      for (;;) {
        const purse = purseOf(subject)
        if (purse.asking) {
          await purse.asking
        } else if (purse.left >= cost) {
          purse.left -= cost
          return undefined
        } else if (!purse.asked && purse.untold + cost <= slice) {
          purse.untold += cost
          return undefined
        } else if (cost >= purse.refused) {
          return Math.max(1, purse.endsAt - performance.now())
        } else {
          purse.asking = ask(subject, purse, cost).finally(() => {
            purse.asking = undefined
          })
          await purse.asking
        }
      }
    },
  }
}
