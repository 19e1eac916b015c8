import type { Redis } from 'ioredis'
import type { Chance } from '../chance.ts'
import { type Store, withRedis } from '../store.ts'
import type { Fault } from './scene.ts'

/**
 * A move covers at most two to the power of this many slots. The logarithmic scale makes one slot as likely
 * as many.
 */
const MOST_DOUBLINGS = 9
/**
 * Half of the moves pause between two steps, like a remote operator. The masters then learn of the move one
 * after another.
 */
const MOST_STEP_MS = 50
/** The probability that the move includes the busiest channel's slot. */
const BUSIEST = 1 / 2

/**
 * A slot with listeners: the busiest channel's, another channel's, or that of a ticket that a browser
 * watches.
 */
const drawBusy = async (store: Store, chance: Chance, busiest: string): Promise<number> => {
  const masters = await store.masters()
  const heardBy = (redis: Redis) => redis.call('PUBSUB', 'SHARDCHANNELS') as Promise<string[]>
  const ofBusiest = `{${busiest}}`
  const drawn =
    chance.next() < BUSIEST
      ? ofBusiest
      : chance.pick([ofBusiest, ...(await Promise.all(masters.map((master) => withRedis(master, heardBy)))).flat()])
  return withRedis(chance.pick(masters), async (redis) => Number(await redis.call('CLUSTER', 'KEYSLOT', drawn)))
}

/** Moves slots with all their keys to another master while clients use them. */
export const slots: Fault = async ({ store, chance, busiest }) => {
  const { cluster } = store
  if (!cluster) throw new Error('only a cluster has slots')
  const busy = await drawBusy(store, chance, busiest)
  const masters = await cluster.masters()
  const from = await cluster.ownerOf(busy)
  const to = chance.pick([...masters.keys()].filter((port) => port !== from).sort())
  const owned = masters.get(from) ?? []
  // Never all slots: a master without slots would lose its replica to another one.
  const count = Math.min(Math.floor(2 ** (MOST_DOUBLINGS * chance.next())), Math.ceil(owned.length / 2))
  const first = Math.max(0, Math.min(owned.indexOf(busy) - chance.between(0, count - 1), owned.length - count))
  const stepMs = chance.between(0, 1) * chance.between(1, MOST_STEP_MS)
  await cluster.moveSlots(owned.slice(first, first + count), to, stepMs)
  return `${count} around ${busy}, from ${from} to ${to}${stepMs > 0 ? `, ${stepMs} ms a step` : ''}`
}
