import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'
import { type Away, RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import { type Known, mergeEntries } from './merge-entries.ts'
import type { StoredEntry } from './stored-entry.ts'
import { type Change, KEEPS_MARKS_MS, type Removed, type TableStore } from './table-store.ts'

export interface HeldTableDeps<E extends StoredEntry> {
  store: Pick<TableStore<E>, 'version' | 'read' | 'put' | 'mark' | 'clear'>
  subscriber: Pick<Subscriber, 'hold' | 'release' | 'on' | 'off'>
  /** The pub/sub channel of changes. */
  channel: string
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** What the log calls the entries. */
export interface HeldTableOptions<E extends StoredEntry> {
  /** The event of its lines. */
  event: string
  /** What the entries are called. */
  plural: string
  /** Called with all entries, by name, whenever they were read or one was dropped. */
  onEntries: (entries: ReadonlyMap<string, E>) => void
}

/**
 * A table of Redis, all of it in the memory of one node: a request costs no round trip, and without Redis the
 * known entries stay good.
 */
export interface HeldTable<E extends StoredEntry> {
  /** The entry of this name. */
  held(name: string): E | undefined
  /** The id of the entry of this name that was removed last, if its mark is still there. */
  removed(name: string): string | undefined
  /** Resolves when the entries are as they were at the call, or later. Rejects with RedisUnavailable. */
  refresh(): Promise<void>
  /** Drops an entry that was just removed. */
  drop(id: string, name: string): void
  close(): void
}

/** How often the node asks whether there was a change that it missed. A little jitter is added. */
const LOOK_MS = 10_000
/** How often it reads all, whatever the version says. */
const READ_ALL_MS = 600_000
const AGAIN = { baseMs: 1_000, capMs: 30_000, least: 0.5 }
/** From the beginning of one read to that of the next one, so that many changes cost few reads. */
const LEAST_MS = 100
/** Reads in a row that put something back. */
const MOST_READS = 5
/** At most one log line about failures in this time. */
const QUIET_MS = 60_000

export const holdTable = <E extends StoredEntry>(
  { store, subscriber, channel, log }: HeldTableDeps<E>,
  { event, plural, onEntries }: HeldTableOptions<E>,
): HeldTable<E> => {
  let known: Known<E> = { entries: new Map(), removed: new Map() }
  /** What Redis said last; `unknown` if it has to be read again. */
  let version: string | undefined | 'unknown' = 'unknown'
  /** When the last read began, by the clock of the process. */
  let readAt: number | undefined
  let failures = 0
  let quietUntil = 0
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  let told: string | undefined
  let complained = ''
  /**
   * The revision of each entry that this node has sealed anew, by id. Nodes may have the two secrets in
   * different orders: each seals an entry once, or they would do it for ever.
   */
  const sealed = new Map<string, number>()

  const adopt = (next: Known<E>): void => {
    known = next
    onEntries(next.entries)
    const state = [...next.entries.values()].map(({ id, revision }) => `${id} ${revision}`).join()
    if (told !== undefined && state !== told)
      log.info({ event, count: next.entries.size }, `the ${plural} in Redis have changed`)
    told = state
  }

  /** Resolves with how many were stored: another node may have been first. */
  const put = async (changes: readonly Change<E>[]): Promise<number> =>
    changes.length === 0 ? 0 : (await store.put(changes)).filter((result) => result === 'OK').length

  /** Resolves with whether something was put back. */
  const readOnce = async (): Promise<boolean> => {
    const began = performance.now()
    const contents = await store.read()
    const isCurrent = readAt !== undefined && began - readAt < KEEPS_MARKS_MS / 2
    const merged = mergeEntries(known, contents, Date.now(), isCurrent)
    const { entries, removed, lost, unmarked, unreadable } = merged
    const old = merged.old.filter(({ entry }) => sealed.get(entry.id) !== entry.revision)
    if (isClosed) return false
    // Before anything is written: what was removed ends although Redis takes no writes.
    adopt({ entries, removed })
    readAt = began
    version = 'unknown'
    if (unreadable.join() !== complained)
      log.error({ event, unreadable }, `these ${plural} in Redis are not opened by SAOMA_SECRET`)
    complained = unreadable.join()
    if (unmarked.size > 0) await store.mark(unmarked)
    const back = await put(lost)
    if (back > 0) log.warn({ event, restored: back }, `${plural} that Redis had lost were put back`)
    const anew = await put(old)
    for (const { entry } of old) sealed.set(entry.id, entry.revision)
    if (anew > 0) log.info({ event, sealed: anew }, `${plural} were sealed anew under SAOMA_SECRET`)
    if (unmarked.size > 0 || lost.length > 0 || old.length > 0) return true
    version = contents.version
    await store.clear(contents)
    return false
  }

  const read = async (): Promise<void> => {
    for (let reads = 1; await readOnce(); reads++) if (reads === MOST_READS) return
  }

  let begunAt = Number.NEGATIVE_INFINITY
  let running: Promise<void> | undefined
  /** The read that has not begun. */
  let next: Promise<void> | undefined
  const begin = async (): Promise<void> => {
    await running?.catch(() => {})
    const ms = begunAt + LEAST_MS - performance.now()
    if (ms > 0) await wait(ms, undefined, { ref: false })
    begunAt = performance.now()
    next = undefined
    running = read()
    await running
  }
  const refresh = (): Promise<void> => {
    next ??= begin()
    return next
  }

  const again = (ms: number): void => {
    clearTimeout(timer)
    if (!isClosed) timer = setTimeout(() => void look(), ms).unref()
  }
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
      failures = 0
      again(LOOK_MS * (0.9 + 0.2 * Math.random()))
    } catch (error) {
      if (isClosed) return
      if (performance.now() >= quietUntil) {
        quietUntil = performance.now() + QUIET_MS
        const what = { event, count: known.entries.size }
        const told = `${plural} cannot be read: the known ones stay good`
        if (error instanceof RedisUnavailable) log.warn({ ...what, message: error.message }, told)
        else log.error({ ...what, err: error }, told)
      }
      again(backoffMs(failures++, AGAIN))
    }
  }
  const look = (): Promise<void> =>
    attempt(async () => {
      const isDue = readAt === undefined || performance.now() - readAt > READ_ALL_MS
      if (isDue || version === 'unknown' || (await store.version()) !== version) await refresh()
    })

  const drop = (gone: readonly (readonly [id: string, name: string])[]): void => {
    const until = Date.now() + KEEPS_MARKS_MS
    const marks = gone.map(([id, name]): [string, Removed] => [id, { name, until }])
    const ids = new Set(gone.map(([id]) => id))
    adopt({
      entries: new Map([...known.entries].filter(([, entry]) => !ids.has(entry.id))),
      removed: new Map([...known.removed, ...marks]),
    })
  }

  const listener = {
    /** The new version, and id and name of each entry that was removed. */
    hear: (payload: Buffer) => {
      const [changed, ...words] = payload.toString().split(' ')
      const gone = words.flatMap((id, i) => (i % 2 === 0 ? [[id, words[i + 1] ?? ''] as const] : []))
      if (gone.length > 0) drop(gone)
      if (changed !== version) void attempt(refresh)
    },
  }
  const onResubscribed = (away: Away): void => {
    if (away.has(channel)) void attempt(refresh)
  }
  subscriber.on('resubscribed', onResubscribed)
  // If it is late, `resubscribed` follows.
  subscriber.hold(channel, listener).catch(() => {})
  again(LOOK_MS)

  return {
    held: (name) => known.entries.get(name),
    removed: (name) => [...known.removed].findLast(([, mark]) => mark.name === name)?.[0],
    refresh,
    drop: (id, name) => drop([[id, name]]),
    close: () => {
      isClosed = true
      clearTimeout(timer)
      subscriber.off('resubscribed', onResubscribed)
      subscriber.release(channel, listener)
    },
  }
}
