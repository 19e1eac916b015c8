import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup, type RedisServer, type Simulator } from '@saoma/testing'
import {
  type CodeStore,
  createFolderStore,
  createPool,
  createPoolStore,
  createRefill,
  type RefillDeps,
  type RefillEvent,
  type RefillOptions,
} from '../src/index.ts'
import { freshPrefix, startNode } from './nodes.ts'
import { APPID } from './pool-fixtures.ts'

type Kind = RefillEvent['kind']
type Event<K extends Kind> = Extract<RefillEvent, { kind: K }>

/** @property pictures  instead of the folder that all nodes share */
type Given = Partial<RefillDeps> & { pictures?: CodeStore }

/** A cluster with an empty pool and a folder that all its nodes share. */
export const openCluster = async (server: RedisServer, simulator: Simulator, quarantineMs = 60_000) => {
  const prefix = freshPrefix()
  const folder = await mkdtemp(join(tmpdir(), 'saoma-refill-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))

  const startRefill = async (options: Partial<RefillOptions> = {}, { pictures, ...deps }: Given = {}) => {
    const node = await startNode(server, simulator, { prefix })
    const { redis, wechat } = node
    const events: RefillEvent[] = []
    const waiting = new Set<() => void>()
    const pool = createPool(redis, { appid: APPID, quarantineMs })
    const store = createPoolStore({ redis, pool, store: pictures ?? createFolderStore(folder) }, APPID)
    const onEvent = (event: RefillEvent) => {
      events.push(event)
      for (const look of waiting) look()
    }
    const refill = createRefill(
      { redis, pool, store, wechat, onEvent, ...deps },
      { appid: APPID, nodeId: 'node', everyMs: 50, ...options },
    )
    onCleanup(() => refill.close())
    const of = <K extends Kind>(kind: K) => events.filter((event): event is Event<K> => event.kind === kind)
    /** Resolves when the events that have come are as wanted. */
    const when = (isWanted: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        const look = () => {
          if (!isWanted()) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      })
    /** Resolves when so many events of a kind have come, with the last of them. */
    const nth = async <K extends Kind>(kind: K, count = 1): Promise<Event<K>> => {
      await when(() => of(kind).length >= count)
      return of(kind)[count - 1] as Event<K>
    }
    /** Resolves when it has begun so many more looks and ended all but the last of them. */
    const looks = async (more: number): Promise<void> => void (await nth('looked', of('looked').length + more))
    return { ...node, refill, pool, store, of, when, nth, looks }
  }
  return { prefix, folder, startRefill }
}
