import { every, orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { claim, schedule } from './scripts.ts'

/** A list in Redis of what is due, and when. Whoever works it off holds nothing that a crash could lose. */
export interface DueList {
  /** Puts something on the list for a time from now. */
  schedule(id: string, afterMs: number): Promise<void>
  /** Takes up to so many of what is due. Nobody else gets them for six seconds. */
  claim(most: number): Promise<string[]>
  /** The same with something that is on the list, due or not. Resolves with whether it is. */
  lease(id: string): Promise<boolean>
  /** Takes it from the list. */
  drop(id: string): Promise<void>
}

/** Longer than one round takes: calls of applications have 2.5 s. */
const LEASE_MS = 6_000
/** What a node works on at once. */
const MOST_AT_ONCE = 50
/** Milliseconds between two looks at what is due. */
const LOOK_MS = 2_000

/** Calls reject with RedisUnavailable. @param keepMs  longer than anything is on the list */
export const createDueList = ({ data }: Pick<RedisClients, 'data'>, key: string, keepMs: number): DueList => {
  const put = async (id: string, afterMs: number): Promise<void> => {
    await schedule(data, [key], [id, Math.round(afterMs), keepMs])
  }
  return {
    schedule: put,
    claim: (most) => claim(data, [key], [LEASE_MS, most]),
    lease: async (id) => {
      const isThere = (await orUnavailable(data.zscore(key, id))) !== null
      if (isThere) await put(id, LEASE_MS)
      return isThere
    },
    drop: async (id) => {
      await orUnavailable(data.zrem(key, id))
    },
  }
}

export interface WorkerOptions {
  /** @default 2000 */
  lookMs?: number | undefined
  /** Called for a surprise. */
  onError: (error: unknown) => void
}

/**
 * Each node has one for each list. Each entry is worked off by one node at a time. What fails, or what a node
 * had when it died, is due again when its lease ends. So something may be done twice.
 */
export interface Worker {
  /** Looks at once for what is due. */
  look(): void
  /** Works on something at once, if it is on the list. */
  start(id: string): void
  close(): void
}

/** @param work  drops what it gets from the list, or schedules it again */
export const createWorker = (
  list: DueList,
  work: (id: string) => Promise<void>,
  { lookMs = LOOK_MS, onError }: WorkerOptions,
): Worker => {
  let isClosed = false
  let isLooking = false
  let looksAgain = false
  let atWork = 0

  const quietly = (error: unknown): void => {
    if (!(error instanceof RedisUnavailable)) onError(error)
  }

  const look = async (): Promise<void> => {
    looksAgain = isLooking
    if (isLooking || isClosed) return
    isLooking = true
    try {
      const room = MOST_AT_ONCE - atWork
      const ids = room > 0 ? await list.claim(room) : []
      atWork += ids.length
      for (const id of ids)
        void work(id)
          .catch(quietly)
          .finally(() => {
            atWork--
            // There may be more than there was room for.
            if (ids.length === room) void look()
          })
    } catch (error) {
      quietly(error)
    } finally {
      isLooking = false
    }
    if (looksAgain) void look()
  }

  const stop = every(lookMs, () => void look())
  return {
    look: () => void look(),
    start: (id) => {
      void list
        .lease(id)
        .then((isThere) => (isThere && !isClosed ? work(id) : undefined))
        .catch(quietly)
    },
    close: () => {
      isClosed = true
      stop()
    },
  }
}
