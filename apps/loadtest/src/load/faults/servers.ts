import { setTimeout as delay } from 'node:timers/promises'
import { type RedisServer, until } from '@saoma/testing'
import { mastersAmong, type Store, settled } from '../store.ts'
import type { Fault, Scene } from './scene.ts'

/** A freeze lasts up to this many times `--down`. That is long enough for a replica to take over. */
const MOST_FROZEN = 3

export const nameOf = ({ kind }: Store, { port }: RedisServer): string =>
  kind === 'cluster' ? `master ${port}` : 'Redis'

export const masterOf = async ({ store, chance }: Scene): Promise<RedisServer> => chance.pick(await store.masters())

/** Resolves when another server has taken over from the given one. */
const takenOver = async (store: Store, gone: RedisServer): Promise<void> => {
  const others = store.servers.filter((server) => server !== gone)
  const count = store.cluster?.nodes.length
  await until(
    async () => (await mastersAmong(others)).length,
    (masters) => masters === count,
  )
}

/** Restarts a Redis with SIGTERM. In a cluster a replica may take over until the server is back. */
export const redis: Fault = async (scene) => {
  const server = await masterOf(scene)
  await server.kill('SIGTERM')
  await delay(scene.downMs)
  await server.restart()
  await settled(scene.store)
  return nameOf(scene.store, server)
}

/** Freezes a Redis (SIGSTOP): connections stay open, and nothing answers. */
export const freeze: Fault = async (scene) => {
  const { store, chance, downMs } = scene
  const server = await masterOf(scene)
  const frozenMs = chance.between(downMs, MOST_FROZEN * downMs)
  await server.kill('SIGSTOP')
  await delay(frozenMs)
  await server.kill('SIGCONT')
  await settled(store)
  return nameOf(store, server)
}

/** A replica becomes the master: by a planned failover, or because its master was killed. */
export const failover: Fault = async (scene) => {
  const { store, chance, downMs } = scene
  const server = await masterOf(scene)
  const inOrder = chance.next() < 1 / 2
  if (inOrder) {
    await store.cluster?.failOver(server.port)
  } else {
    await server.kill('SIGKILL')
    await takenOver(store, server)
    await delay(downMs)
    await server.restart()
  }
  await settled(store)
  return `${nameOf(store, server)} ${inOrder ? 'in order' : 'killed'}`
}
