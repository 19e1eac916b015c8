import { randomInt } from 'node:crypto'
import { fail, parsePooledScene, type Result } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { COUNTER_MS, countOne, presentMinute } from '../per-minute-counter.ts'
import type { Lease, PooledCode, PooledImage, Stock } from './code.ts'
import { poolKeys } from './pool-keys.ts'
import { parseFields, scripts } from './scripts.ts'

/**
 * Codes made ahead, one pool for each app; SPEC.md holds the rules. Every call rejects with RedisUnavailable
 * when Redis cannot be asked.
 */
export interface Pool {
  /** How many tickets a code is leased to before it is thrown away. */
  readonly leases: number
  /**
   * Leases a code to a ticket; a ticket that has one keeps it. Undefined when there is none to lease.
   * @param leaseMs  how long a scan of the code leads to the ticket
   */
  lease(ticket: string, leaseMs: number): Promise<Lease | undefined>
  /**
   * The ticket behind a scene. TICKET_EXPIRED when it is leased to nobody; CHECK_REQUIRED, CHECK_WRONG when
   * the code was shown to others before and the number does not prove that the person looks at this lease.
   */
  resolve(scene: string, check?: string): Promise<Result<string>>
  /** Counts a picture that was asked for, pooled or not: the refill job looks at it. */
  count(): Promise<void>
  /** Pictures asked for in the busiest of the last ten minutes. */
  demand(): Promise<number>
  stock(): Promise<Stock>
  /** A new code, which nobody has seen. A scene that is known stays as it is. */
  add(scene: string, image: PooledImage): Promise<void>
  /** Every code, in no order. */
  list(): AsyncIterable<PooledCode>
  /**
   * Takes codes out for good; one that is leased at this moment goes too, and its scan reads as expired.
   * Gives the store's keys of those that were there.
   */
  retire(scenes: readonly string[]): Promise<string[]>
}

export interface PoolOptions {
  appid: string
  /** How many tickets a code is leased to before it is thrown away: 1 to 60. @default 20 */
  leases?: number
  /**
   * Milliseconds from the end of a lease until the code may be leased again. It must be longer than a ticket
   * can live after its lease, or a late phone acts on the ticket of one person with the picture of another.
   */
  quarantineMs: number
  /** A random integer from 0 up to, but not including, `below`. @default crypto.randomInt */
  random?: (below: number) => number
}

/** 90 numbers there are; with so many gone, the next could be guessed too well. */
const MOST_LEASES = 60
/** Of the random number from which a script draws: exact in Lua, and many times the numbers there are. */
const RANDOM_BELOW = 2 ** 40
/** Codes released by one call: a lease is not to wait for a whole pool, and the next call goes on. */
const DUE_PER_LEASE = 50
const DUE_PER_STOCK = 1_000
/** Codes of one reading or one retirement: Redis has others to serve in between. */
const BATCH = 200
const DEMAND_MINUTES = 10

/** @throws RangeError for options that cannot be right */
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
        if (!fields) continue // Gone since.
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
