import { setTimeout as delay } from 'node:timers/promises'
import { settled, withRedis } from '../store.ts'
import type { Fault } from './scene.ts'
import { masterOf, nameOf } from './servers.ts'

/** More replicas than anybody has. */
const UNREACHED = '9'
/** Any Redis uses more than a byte. */
const FULL = '1'
/** How many times `--down` writes are refused at the most. */
const MOST_REFUSED = 6

/** Has a master refuse writes for a while; it goes on answering reads. */
const refuse =
  (setting: string, value: string): Fault =>
  async (scene) => {
    const { store, chance, downMs } = scene
    const server = await masterOf(scene)
    const refusedMs = chance.between(downMs, MOST_REFUSED * downMs)
    await withRedis(server, async (redis) => {
      const [, before = ''] = (await redis.config('GET', setting)) as string[]
      await redis.config('SET', setting, value)
      await delay(refusedMs)
      await redis.config('SET', setting, before)
    })
    await settled(store)
    return nameOf(store, server)
  }

/** NOREPLICAS: fewer replicas are there than a write must have. */
export const noreplicas = refuse('min-replicas-to-write', UNREACHED)
/** OOM: `maxmemory` is reached, and nothing may be evicted. What frees memory is still done. */
export const oom = refuse('maxmemory', FULL)
