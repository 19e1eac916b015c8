import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'
import { type Away, RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import { KEEPS_MARKS_MS, type KeyStore, type Revoked } from './key-store.ts'
import { type KnownKeys, type MergedKeys, mergeKeys } from './merge-keys.ts'
import type { Backend } from './principal.ts'
import type { KeyRing } from './revocation-watch.ts'
import { createSecretRing } from './secret-ring.ts'
import type { StoredKey } from './stored-key.ts'

export interface HeldKeysDeps {
  store: KeyStore
  subscriber: Pick<Subscriber, 'hold' | 'release' | 'on' | 'off'>
  /** The pub/sub channel of changes. */
  channel: string
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/**
 * The keys of Redis, all of them in the memory of one node: a request costs no round trip, and without Redis
 * the known keys stay good.
 */
export interface HeldKeys extends KeyRing {
  find(key: string): Backend | undefined
  /** Whether another secret has replaced the one with which this backend came. */
  isFormer(who: Backend): boolean
  /** The key of this name. */
  held(name: string): StoredKey | undefined
  /** The id of the key of this name that was revoked last, if its mark is still there. */
  revoked(name: string): string | undefined
  /** Resolves when the keys are as they were at the call, or later. Rejects with RedisUnavailable. */
  refresh(): Promise<void>
  /** Drops a key that was just revoked, and ends its connections. */
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

export const holdKeys = ({ store, subscriber, channel, log }: HeldKeysDeps): HeldKeys => {
  const ring = createSecretRing()
  let known: KnownKeys = { keys: new Map(), revoked: new Map() }
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
   * The revision of each key that this node has sealed anew, by id. Nodes may have the two secrets in
   * different orders: each seals a key once, or they would do it for ever.
   */
  const sealed = new Map<string, number>()

  const adopt = (next: KnownKeys): void => {
    known = next
    ring.replace(next.keys.values())
    const state = [...next.keys.values()].map(({ id, revision }) => `${id} ${revision}`).join()
    if (told !== undefined && state !== told)
      log.info({ event: 'api-keys', keys: next.keys.size }, 'the API keys in Redis have changed')
    told = state
  }

  /** Resolves with how many were stored: another node may have been first. */
  const put = async (changes: MergedKeys['lost']): Promise<number> =>
    changes.length === 0 ? 0 : (await store.put(changes)).filter((result) => result === 'OK').length

  /** Resolves with whether something was put back. */
  const readOnce = async (): Promise<boolean> => {
    const began = performance.now()
    const contents = await store.read()
    const isCurrent = readAt !== undefined && began - readAt < KEEPS_MARKS_MS / 2
    const merged = mergeKeys(known, contents, Date.now(), isCurrent)
    const { keys, revoked, lost, unmarked, unreadable } = merged
    const old = merged.old.filter(({ key }) => sealed.get(key.id) !== key.revision)
    if (isClosed) return false
    // Before anything is written: what was revoked ends although Redis takes no writes.
    adopt({ keys, revoked })
    readAt = began
    version = 'unknown'
    if (unreadable.join() !== complained)
      log.error({ event: 'api-keys', unreadable }, 'these API keys in Redis are not opened by SAOMA_SECRET')
    complained = unreadable.join()
    if (unmarked.size > 0) await store.mark(unmarked)
    const back = await put(lost)
    if (back > 0) log.warn({ event: 'api-keys', restored: back }, 'API keys that Redis had lost were put back')
    const anew = await put(old)
    for (const { key } of old) sealed.set(key.id, key.revision)
    if (anew > 0) log.info({ event: 'api-keys', sealed: anew }, 'API keys were sealed anew under SAOMA_SECRET')
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
        const what = { event: 'api-keys', keys: known.keys.size }
        if (error instanceof RedisUnavailable)
          log.warn({ ...what, message: error.message }, 'API keys cannot be read: the known ones stay good')
        else log.error({ ...what, err: error }, 'API keys cannot be read: the known ones stay good')
      }
      again(backoffMs(failures++, AGAIN))
    }
  }
  const look = (): Promise<void> =>
    attempt(async () => {
      const isDue = readAt === undefined || performance.now() - readAt > READ_ALL_MS
      if (isDue || version === 'unknown' || (await store.version()) !== version) await refresh()
    })

  const drop = (revoked: readonly (readonly [id: string, name: string])[]): void => {
    const until = Date.now() + KEEPS_MARKS_MS
    const marks = revoked.map(([id, name]): [string, Revoked] => [id, { name, until }])
    const ids = new Set(revoked.map(([id]) => id))
    adopt({
      keys: new Map([...known.keys].filter(([, key]) => !ids.has(key.id))),
      revoked: new Map([...known.revoked, ...marks]),
    })
  }

  const listener = {
    /** The new version, and id and name of each key that was revoked. */
    hear: (payload: Buffer) => {
      const [changed, ...words] = payload.toString().split(' ')
      const revoked = words.flatMap((id, i) => (i % 2 === 0 ? [[id, words[i + 1] ?? ''] as const] : []))
      if (revoked.length > 0) drop(revoked)
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
    find: ring.find,
    isKnown: ring.isKnown,
    isFormer: ring.isFormer,
    held: (name) => known.keys.get(name),
    revoked: (name) => [...known.revoked].findLast(([, mark]) => mark.name === name)?.[0],
    onChange: ring.onChange,
    refresh,
    drop: (id, name) => drop([[id, name]]),
    close: () => {
      isClosed = true
      clearTimeout(timer)
      subscriber.off('resubscribed', onResubscribed)
      subscriber.release(channel, listener)
      ring.close()
    },
  }
}
