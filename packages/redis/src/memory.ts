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
  /**
   * Told with the reason, and not again until something was seen, when there is nothing to look at: no
   * `maxmemory`, or Redis does not say.
   */
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

/**
 * There is room again below the share less this part of it, so that what grows and shrinks at the edge is not
 * on and off all the time.
 */
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
  /** Of each master that told of itself, used of most; nothing where it has no end. */
  let parts = new Map<string, number | undefined>()
  let full = false
  let told = false
  let looking: Promise<void> | undefined

  const part = (): number | undefined => {
    const known = [...parts.values()].filter((each) => each !== undefined)
    return known.length > 0 ? Math.max(...known) : undefined
  }

  const untold = (why: string) => {
    if (!told) onUntold(why)
    told = true
  }

  const judge = () => {
    const wasFull = full
    full = (part() ?? 0) >= (full ? share * AGAIN : share)
    if (full !== wasFull) onRoom(!full)
  }

  const look = async (): Promise<void> => {
    const masters = mastersOf(connection)
    // Nobody knows who has the slots, and what was known before is the best guess.
    if (masters.length === 0) return
    const answers = await Promise.allSettled(masters.map((master) => verdict(master.info('memory'))))
    const before = parts
    parts = new Map()
    const refusals: string[] = []
    for (const [i, answer] of answers.entries()) {
      const { host, port } = masters[i]?.options ?? {}
      const place = `${host}:${port}`
      if (answer.status === 'fulfilled') {
        const { used, most } = memoryOf(answer.value)
        parts.set(place, most > 0 ? used / most : undefined)
      } else if (answer.reason instanceof Error && answer.reason.name === 'ReplyError') {
        refusals.push(answer.reason.message)
      } else if (before.has(place)) {
        // Away, it takes no writes in any case, and when it is back it is as full as it was.
        parts.set(place, before.get(place))
      }
    }
    judge()
    if (part() !== undefined) told = false
    else if (refusals[0] !== undefined) untold(refusals[0])
    else if (parts.size === masters.length) untold('maxmemory is not set')
  }
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }
  const timer = setInterval(() => void lookOnce(), everyMs).unref()

  return { hasRoom: () => !full, part, look: lookOnce, close: () => clearInterval(timer) }
}
