import { every, RedisUnavailable } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import type { KeyStore } from './key-store.ts'
import type { Backend } from './principal.ts'

/** Notes when API keys are used, off the way of requests. */
export interface KeyUses {
  mark(who: Backend): void
  /** Writes what is left. */
  close(): Promise<void>
}

/** Each node writes once in this time, and so knows of a use to about a minute. */
const WRITE_MS = 60_000

export const createKeyUses = (store: Pick<KeyStore, 'noteUses'>, log: Pick<Logger, 'error'>): KeyUses => {
  // Bounded by the number of keys.
  let used = new Map<string, number>()

  const write = async (): Promise<void> => {
    if (used.size === 0) return
    const taken = used
    used = new Map()
    try {
      await store.noteUses(taken)
    } catch (error) {
      // A later use says more than the one that was not written.
      used = new Map([...taken, ...used])
      if (!(error instanceof RedisUnavailable)) log.error({ err: error }, 'uses of API keys could not be written')
    }
  }
  const stop = every(WRITE_MS, () => void write())

  return {
    mark: ({ id }) => {
      if (id !== undefined) used.set(id, Date.now())
    },
    close: async () => {
      stop()
      await write()
    },
  }
}
