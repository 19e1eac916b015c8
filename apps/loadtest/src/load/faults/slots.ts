import type { Redis } from 'ioredis'
import type { Chance } from '../chance.ts'
import { type Store, withRedis } from '../store.ts'
import type { Fault } from './scene.ts'

/**
 * Slots that are moved at one time are up to two to the power of this; one alone is as likely as a few or
 * many.
 */
const MOST_DOUBLINGS = 9
/**
 * Between two steps of a move, in half of the moves: whoever moves slots may be far away, and then the
 * masters know of it by and by.
 */
const MOST_STEP_MS = 50
/** How often the channel that all follow is among what is moved. */
const BUSIEST = 1 / 2

/**
 * A slot that somebody listens on: the one of the busiest channel, of another one, or of a ticket that a
 * browser waits for.
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

/** Gives slots that are in use to another master, keys and all, while they are. */
export const slots: Fault = async ({ store, chance, busiest }) => {
  const { cluster } = store
  if (!cluster) throw new Error('only a cluster has slots')
  const busy = await drawBusy(store, chance, busiest)
  const masters = await cluster.masters()
  const from = await cluster.ownerOf(busy)
  const to = chance.pick([...masters.keys()].filter((port) => port !== from).sort())
  const owned = masters.get(from) ?? []
  // Never all: a master without slots would give its replica away.
  const count = Math.min(Math.floor(2 ** (MOST_DOUBLINGS * chance.next())), Math.ceil(owned.length / 2))
  const first = Math.max(0, Math.min(owned.indexOf(busy) - chance.between(0, count - 1), owned.length - count))
  const stepMs = chance.between(0, 1) * chance.between(1, MOST_STEP_MS)
  await cluster.moveSlots(owned.slice(first, first + count), to, stepMs)
  return `${count} around ${busy}, from ${from} to ${to}${stepMs > 0 ? `, ${stepMs} ms a step` : ''}`
}
