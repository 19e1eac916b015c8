import { Cluster, type Redis } from 'ioredis'
import type { Connection } from './connection.ts'
import { verdict } from './replies.ts'

/** How full a master is; without `maxmemory` it has no end of its own. */
export interface Memory {
  used: number
  most: number
}

export interface MemoryWatchOptions {
  /** Part of `maxmemory` from which on there is no room. */
  share: number
  /** Milliseconds between two looks. @default 1000 */
  everyMs?: number
  /** Told once of each change. */
  onRoom?: (hasRoom: boolean) => void
  /** Told once, with the reason, when there is nothing to look at: no `maxmemory`, or Redis does not say. */
  onUntold?: (why: string) => void
}

export interface MemoryWatch {
  /** Whether every master has room. As long as nobody knows, it is taken to have. */
  hasRoom(): boolean
  /** Of the fullest master, used of most; undefined as long as it is not known. */
  part(): number | undefined
  /** Looks now. Resolves when it has; never rejects. */
  look(): Promise<void>
  close(): void
}

/** There is room again below the share less this part of it, so that what grows and shrinks at the edge is not on and off all the time. */
const AGAIN = 0.95
const EVERY_MS = 1_000

const numberOf = (info: string, name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])

export const memoryOf = (info: string): Memory => ({
  used: numberOf(info, 'used_memory'),
  most: numberOf(info, 'maxmemory'),
})

const mastersOf = (connection: Connection): Redis[] =>
  connection instanceof Cluster ? connection.nodes('master') : [connection]

/** Looks at the memory of each master, so that somebody can stop before Redis refuses everybody's writes. */
export const watchMemory = (connection: Connection, options: MemoryWatchOptions): MemoryWatch => {
  const { share, everyMs = EVERY_MS, onRoom = () => {}, onUntold = () => {} } = options
  let part: number | undefined
  let full = false
  let told = false
  let looking: Promise<void> | undefined

  const untold = (why: string) => {
    part = undefined
    if (!told) onUntold(why)
    told = true
  }

  const judge = (infos: readonly string[]) => {
    const parts = infos.map(memoryOf).flatMap(({ used, most }) => (most > 0 ? [used / most] : []))
    if (parts.length === 0) untold('maxmemory is not set')
    else part = Math.max(...parts)
    const wasFull = full
    full = part !== undefined && part >= (full ? share * AGAIN : share)
    if (full !== wasFull) onRoom(!full)
  }

  const look = async (): Promise<void> => {
    try {
      judge(await Promise.all(mastersOf(connection).map((master) => verdict(master.info('memory')))))
    } catch (error) {
      // Away, it takes no writes in any case, and what was known of it is still the best guess.
      if (error instanceof Error && error.name === 'ReplyError') untold(error.message)
    }
  }
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }
  const timer = setInterval(() => void lookOnce(), everyMs).unref()

  return { hasRoom: () => !full, part: () => part, look: lookOnce, close: () => clearInterval(timer) }
}
