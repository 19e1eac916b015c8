import { Cluster, type Redis } from 'ioredis'
import type { Connection } from './connection.ts'
import { every } from './every.ts'
import { verdict } from './replies.ts'

/** Memory of a master. Without `maxmemory` it has no limit. */
export interface Memory {
  used: number
  most: number
}

export interface MemoryWatchOptions {
  /** The share of `maxmemory` from which on there is no room. */
  share: number
  /** Milliseconds between two checks. @default 1000 */
  everyMs?: number
  /** Called once for each change. */
  onRoom?: (hasRoom: boolean) => void
  /**
   * Called with the reason when memory cannot be measured: no `maxmemory`, or Redis does not report it.
   * Called again only after a successful check.
   */
  onUntold?: (why: string) => void
}

export interface MemoryWatch {
  /**
   * Whether every master has room; true while nothing is known.
   *
   * @param bytes  about to be written. Much at once makes the next check come at once. @default 0
   */
  hasRoom(bytes?: number): boolean
  /** Used share of `maxmemory` on the fullest master; undefined while unknown. */
  part(): number | undefined
  /** Checks now. Resolves when done; never rejects. */
  look(): Promise<void>
  close(): void
}

/**
 * Hysteresis: room is reported again only below this fraction of the share, so that use near the limit does
 * not flap.
 */
const AGAIN = 0.95
const EVERY_MS = 1_000
/** Below half of the share, and without a limit, one look in so many is made: INFO is expensive for Redis. */
const CALM_LOOKS = 3
/**
 * A check comes at once when a node has written this part of what was left below the share, so that a burst
 * does not fill Redis between two checks. It is small because other nodes write as well.
 */
const BURST = 1 / 32

const numberOf = (info: string, name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])

export const memoryOf = (info: string): Memory => ({
  used: numberOf(info, 'used_memory'),
  most: numberOf(info, 'maxmemory'),
})

const mastersOf = (connection: Connection): Redis[] =>
  connection instanceof Cluster ? connection.nodes('master') : [connection]

/** Watches the memory of each master, so that channels can stop writing before Redis refuses all writes. */
export const watchMemory = (connection: Connection, options: MemoryWatchOptions): MemoryWatch => {
  const { share, everyMs = EVERY_MS, onRoom = () => {}, onUntold = () => {} } = options
  /** Used share by master; undefined for a master without a limit. */
  let parts = new Map<string, number | undefined>()
  let full = false
  let told = false
  let looking: Promise<void> | undefined
  /** What was left below the share on the fullest master, and what this node has written since, in bytes. */
  let left = Number.POSITIVE_INFINITY
  let written = 0

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
    // No master has slots at the moment. Keep the last known state.
    if (masters.length === 0) return
    // What is written while Redis answers is not in the answer.
    written = 0
    const answers = await Promise.allSettled(masters.map((master) => verdict(master.info('memory'))))
    const before = parts
    parts = new Map()
    left = Number.POSITIVE_INFINITY
    const refusals: string[] = []
    for (const [i, answer] of answers.entries()) {
      const { host, port } = masters[i]?.options ?? {}
      const place = `${host}:${port}`
      if (answer.status === 'fulfilled') {
        const { used, most } = memoryOf(answer.value)
        parts.set(place, most > 0 ? used / most : undefined)
        if (most > 0) left = Math.min(left, Math.max(0, most * share - used))
      } else if (answer.reason instanceof Error && answer.reason.name === 'ReplyError') {
        refusals.push(answer.reason.message)
      } else if (before.has(place)) {
        // An unavailable master takes no writes. When it returns, its memory is as full as before.
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
  let skipped = 0
  const close = every(everyMs, () => {
    skipped = (part() ?? 0) < share / 2 ? (skipped + 1) % CALM_LOOKS : 0
    if (skipped === 0) void lookOnce()
  })

  return {
    hasRoom: (bytes = 0) => {
      written += bytes
      if (written > left * BURST && !full) void lookOnce()
      return !full
    },
    part,
    look: lookOnce,
    close,
  }
}
