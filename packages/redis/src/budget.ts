import { hash } from 'node:crypto'
import type { Keys } from './keys.ts'
import type { RedisClients } from './redis.ts'
import { script } from './script.ts'

export interface BudgetOptions {
  /** Part of the key. */
  name: string
  /** The most that a subject may spend in the window, on all nodes together. */
  limit: number
  windowMs: number
}

/** A rate limit per subject that all nodes share. */
export interface Budget {
  /**
   * Spends `cost`. Resolves with undefined, or with the milliseconds until the window ends when the cost does
   * not fit. Rejects with RedisUnavailable.
   */
  spend(subject: string, cost: number): Promise<number | undefined>
}

/**
 * A node takes this fraction of the budget from Redis at once. Before its first call in a window it may spend
 * the same amount without asking.
 */
const SLICES = 20
/** Subjects that a node remembers. A subject that is evicted gets its free slice again. */
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
  /** End of the window, by the clock of `performance`. */
  endsAt: number
  /** Spent before the first call; that call reports it to Redis. */
  untold: number
  asked: boolean
  /** Taken from Redis and not yet spent. */
  left: number
  /** The smallest cost that was refused. Equal or larger costs are refused until the window ends. */
  refused: number
  asking: Promise<void> | undefined
}

/**
 * Key of what a subject has spent. A subject may contain any character, but a hash tag may not: so its hash.
 */
export const budgetKey = (keys: Keys, name: string, subject: string): string =>
  keys.budget(name, hash('sha256', subject, 'base64url'))

/**
 * Counts in slices: a call to Redis for each message would double the cost of publishing. A subject that
 * spends little costs no call; one that spends much costs one call per slice, a twentieth of the limit. Two
 * errors follow. Each node may let one slice pass above the limit, before it asks. And each node may hold
 * back a slice when the budget is nearly spent. The window is fixed, so around its edge a subject may spend
 * twice the limit.
 */
export const createBudget = ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>, options: BudgetOptions): Budget => {
  const { name, limit, windowMs } = options
  const slice = Math.floor(limit / SLICES)
  /** In the order in which their windows began, oldest first. */
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
    const key = budgetKey(keys, name, subject)
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
