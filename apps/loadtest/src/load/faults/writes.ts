import { setTimeout as delay } from 'node:timers/promises'
import { settled, withRedis } from '../store.ts'
import type { Fault } from './scene.ts'
import { masterOf, nameOf } from './servers.ts'

/** More replicas than any master has. */
const UNREACHED = '9'
/** One byte, which any Redis exceeds. */
const FULL = '1'
/** Redis refuses writes for at most this many times `--down`. */
const MOST_REFUSED = 6

/** Makes a master refuse writes for a while. It still answers reads. */
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

/** NOREPLICAS: a write needs more replicas than there are. */
export const noreplicas = refuse('min-replicas-to-write', UNREACHED)
/**
 * OOM: memory has reached `maxmemory`, and eviction is off. Redis still accepts commands that free memory.
 */
export const oom = refuse('maxmemory', FULL)
