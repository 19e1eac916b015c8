import { every, RedisUnavailable } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import type { StoredEntry } from './stored-entry.ts'
import type { TableStore } from './table-store.ts'

/** Notes when API keys or applications are used, off the way of requests. */
export interface Uses {
  /** @param id  of the entry; one without an id is not noted */
  mark(id: string | undefined): void
  /** Writes what is left. */
  close(): Promise<void>
}

/** Each node writes once in this time, and so knows of a use to about a minute. */
const WRITE_MS = 60_000

/** @param plural  what they are called in the log */
export const createUses = (
  store: Pick<TableStore<StoredEntry>, 'noteUses'>,
  log: Pick<Logger, 'error'>,
  plural: string,
): Uses => {
  // Bounded by the number of entries.
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
      if (!(error instanceof RedisUnavailable)) log.error({ err: error }, `uses of ${plural} could not be written`)
    }
  }
  const stop = every(WRITE_MS, () => void write())

  return {
    mark: (id) => {
      if (id !== undefined) used.set(id, Date.now())
    },
    close: async () => {
      stop()
      await write()
    },
  }
}
