import { randomInt } from 'node:crypto'
import { fail, parsePooledScene, type Result } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { COUNTER_MS, countOne, presentMinute } from '../per-minute-counter.ts'
import type { Lease, PooledCode, PooledImage, Stock } from './code.ts'
import { poolKeys } from './pool-keys.ts'
import { parseFields, scripts } from './scripts.ts'

/**
 * Pooled codes, one pool for each app; SPEC.md holds the rules. Every call rejects with RedisUnavailable when
 * Redis is unavailable.
 */
export interface Pool {
  /** How many times a code is leased before it is removed. */
  readonly leases: number
  /**
   * Leases a code to a ticket. A ticket keeps the code that it has. Undefined when no code is available.
   * @param leaseMs  how long a scan of the code leads to the ticket
   */
  lease(ticket: string, leaseMs: number): Promise<Lease | undefined>
  /**
   * The ticket behind a scene. TICKET_EXPIRED when the code is not leased. CHECK_REQUIRED or CHECK_WRONG when
   * the code was shown before and the check number is missing or wrong.
   */
  resolve(scene: string, check?: string): Promise<Result<string>>
  /** Counts a requested picture, pooled or not, for the refill job. */
  count(): Promise<void>
  /** Requested pictures in the busiest of the last ten minutes. */
  demand(): Promise<number>
  stock(): Promise<Stock>
  /** Adds a fresh code. A known scene stays as it is. */
  add(scene: string, image: PooledImage): Promise<void>
  /** All codes, unordered. */
  list(): AsyncIterable<PooledCode>
  /**
   * Removes codes for good, even leased ones, whose scan then reads as expired. Resolves with the picture
   * keys of the codes that existed.
   */
  retire(scenes: readonly string[]): Promise<string[]>
}

export interface PoolOptions {
  appid: string
  /** How many times a code is leased before it is removed: 1 to 60. @default 20 */
  leases?: number
  /**
   * Milliseconds from the end of a lease until the code may be leased again. It must exceed the time that a
   * ticket can live after its lease. Otherwise a phone that acts late would combine one person's ticket with
   * another person's picture.
   */
  quarantineMs: number
  /** A random integer from 0 up to, but not including, `below`. @default crypto.randomInt */
  random?: (below: number) => number
}

/** There are 90 check numbers. After this many leases the next number could be guessed too easily. */
const MOST_LEASES = 60
/**
 * Bound of the random number from which a script draws: exact in Lua, and much larger than the number of
 * check numbers.
 */
const RANDOM_BELOW = 2 ** 40
/** Codes released per call: a lease must not wait for a whole pool. The next call continues. */
const DUE_PER_LEASE = 50
const DUE_PER_STOCK = 1_000
/** Codes per read or retirement, so that Redis can serve others in between. */
const BATCH = 200
const DEMAND_MINUTES = 10

/** @throws RangeError for invalid options */
export const createPool = (redis: RedisClients, options: PoolOptions): Pool => {
  const { appid, leases = 20, quarantineMs, random = (below) => randomInt(below) } = options
  if (!Number.isInteger(leases) || leases < 1 || leases > MOST_LEASES)
    throw new RangeError(`a code can be leased 1 to ${MOST_LEASES} times, not ${leases}`)
  if (!(quarantineMs > 0)) throw new RangeError('a code needs a quarantine after each lease')
  const { data, keys } = redis
  const { ttlMs, code, codes, leasesPrefix, places, run } = poolKeys(keys, appid)
  const quarantine = Math.ceil(quarantineMs)

  async function* list(): AsyncIterable<PooledCode> {
    const scenes = await scripts.scenes(data, places, [])
    for (let i = 0; i < scenes.length; i += BATCH) {
      const some = scenes.slice(i, i + BATCH)
      const [seconds, micros] = await orUnavailable(data.time())
      const now = Number(seconds) * 1000 + Number(micros) / 1000
      const unseen = await orUnavailable(data.smismember(places[0], ...some))
      const hashes = await Promise.all(some.map((scene) => orUnavailable(data.hgetall(code(scene)))))
      for (const [j, scene] of some.entries()) {
        const fields = parseFields(hashes[j])
        if (!fields) continue // Removed meanwhile.
        const { epoch, madeAt, leasedUntil, freeAt, image: key, type, sha256 } = fields
        const spent = epoch >= leases
        const status =
          unseen[j] === 1 ? 'fresh' : leasedUntil > now ? 'leased' : freeAt > now || spent ? 'quarantined' : 'rested'
        yield { scene, status, epoch, madeAt, image: { key, type, sha256 } }
      }
    }
  }

  return {
    leases,

    lease: (ticket, leaseMs) =>
      scripts.lease(
        data,
        [codes, ...places, run, keys.poolLease(appid, ticket)],
        [ticket, Math.max(Math.ceil(leaseMs), 1), quarantine, leases, random(RANDOM_BELOW), DUE_PER_LEASE, ttlMs],
      ),

    resolve: async (scene, check = '') =>
      parsePooledScene(scene).ok ? scripts.resolve(data, [code(scene)], [check]) : fail('TICKET_EXPIRED'),

    count: async () => void (await countOne(data, [keys.poolDemand(appid, presentMinute())], [COUNTER_MS])),

    demand: async () => {
      const present = presentMinute()
      const minutes = Array.from({ length: DEMAND_MINUTES }, (_, i) => keys.poolDemand(appid, present - i))
      return Math.max(...(await orUnavailable(data.mget(minutes))).map(Number))
    },

    stock: () => scripts.stock(data, [codes, ...places, run], [leases, DUE_PER_STOCK, ttlMs]),

    add: async (scene, { key, type, sha256 }) => {
      if (!parsePooledScene(scene).ok) throw new TypeError('this is not the scene of a pooled code')
      await scripts.add(data, [code(scene), places[0], places[1], run], [scene, key, type, sha256, ttlMs])
    },

    list,

    retire: async (scenes) => {
      const images: string[] = []
      for (let i = 0; i < scenes.length; i += BATCH)
        images.push(...(await scripts.retire(data, [codes, leasesPrefix, ...places], scenes.slice(i, i + BATCH))))
      return images
    },
  }
}
