import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup, type RedisServer, type Simulator } from '@saoma/testing'
import {
  createFolderStore,
  createPool,
  createRefill,
  type RefillDeps,
  type RefillEvent,
  type RefillOptions,
} from '../src/index.ts'
import { freshPrefix, startNode } from './nodes.ts'
import { APPID } from './pool-fixtures.ts'

type Kind = RefillEvent['kind']
type Event<K extends Kind> = Extract<RefillEvent, { kind: K }>

/** A cluster with an empty pool and a folder that all its nodes share. */
export const openCluster = async (server: RedisServer, simulator: Simulator, quarantineMs = 60_000) => {
  const prefix = freshPrefix()
  const folder = await mkdtemp(join(tmpdir(), 'saoma-refill-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))

  const startRefill = async (options: Partial<RefillOptions> = {}, deps: Partial<RefillDeps> = {}) => {
    const node = await startNode(server, simulator, { prefix })
    const { redis, wechat } = node
    const events: RefillEvent[] = []
    /** When each of them came. */
    const moments = new WeakMap<RefillEvent, number>()
    const waiting = new Set<() => void>()
    const pool = createPool(redis, { appid: APPID, quarantineMs })
    const store = createFolderStore(folder)
    const onEvent = (event: RefillEvent) => {
      events.push(event)
      moments.set(event, performance.now())
      for (const look of waiting) look()
    }
    const refill = createRefill(
      { redis, pool, store, wechat, onEvent, ...deps },
      { appid: APPID, nodeId: 'node', everyMs: 50, ...options },
    )
    onCleanup(() => refill.close())
    const of = <K extends Kind>(kind: K) => events.filter((event): event is Event<K> => event.kind === kind)
    /** Resolves when so many events of a kind have come, with the last of them. */
    const nth = <K extends Kind>(kind: K, count = 1): Promise<Event<K>> =>
      new Promise((resolve) => {
        const look = () => {
          const found = of(kind)[count - 1]
          if (!found) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    return { ...node, refill, pool, store, moments, of, nth }
  }
  return { prefix, folder, startRefill }
}
