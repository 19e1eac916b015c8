import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'
import { type QuickSeal, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { encode, type Note, type NoteOptions } from './entry.ts'
import type { Kind } from './kinds.ts'
import { createNetworkNames } from './networks.ts'
import { mostOf, ownerOf, partOf } from './parts.ts'
import { append, type EntryArgs } from './scripts.ts'

/** Why an entry was lost: too many waited, it waited too long, Redis did not take it, or the node stopped. */
export type Loss = 'backlog' | 'late' | 'refused' | 'stopped'

export interface WriterOptions {
  /** The node, as entries name it. */
  node: string
  secrets: readonly [string, ...string[]]
  /** Entries that are kept in all. */
  entries: number
  /** Milliseconds for which an entry is kept. */
  keepMs: number
  /** Entries of one person that are kept. */
  mostOwn?: number
  /** Milliseconds for which entries are gathered before they are written together. */
  gatherMs?: number
  /** Entries that may wait for Redis. */
  mostWaiting?: number
  onWritten?: (kind: Kind) => void
  onLost?: (count: number, why: Loss) => void
  /** Called with an error that is no outage. */
  onError?: (error: unknown) => void
}

/** Writes entries off the way of those who note them. */
export interface Writer {
  /** Takes an entry. Costs a moment, never throws, and waits for nothing. */
  note(note: Note, options?: NoteOptions): void
  /** Resolves when all that was noted before is written, or lost. It gathers nothing. */
  flush(): Promise<void>
  /** Tries for a moment to write what waits. */
  close(): Promise<void>
}

/** An entry that waits for its write. */
interface Waiting {
  note: Note
  options: NoteOptions
  /** When it was noted, by `performance.now()`. */
  at: number
  /** Its part, once that was needed. */
  part?: string
}

/** Entries of one part that leave together, also when they are sent again. Redis takes a number once. */
interface Batch {
  part: string
  number: number
  waiting: readonly Waiting[]
  /** The arguments of each entry without its age. Made once: the seal draws another text each time. */
  args: readonly EntryArgs[]
}

export const MOST_OWN = 500
/** Sessions of a person whose network is remembered: more than a person can have. */
const MOST_PLACES = 300
/** What is older than this when it can be written is lost. So a reader knows how late an entry may come. */
export const MOST_LATE_MS = 3_600_000
const GATHER_MS = 500
/** What is to be written later waits for so much longer than the gathering of another node takes. */
const SLACK_MS = 100
const MOST_WAITING = 10_000
/** Entries that leave in one round, and so the longest time that the round keeps the event loop. */
const MOST_AT_ONCE = 400
const CLOSE_MS = 1_000
const BACKOFF = { baseMs: 100, capMs: 5_000, least: 0.5 }

export const createWriter = (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  seal: QuickSeal,
  options: WriterOptions,
): Writer => {
  const { node, secrets, entries, keepMs, mostOwn = MOST_OWN, gatherMs = GATHER_MS } = options
  const { mostWaiting = MOST_WAITING, onWritten = () => {}, onLost = () => {}, onError = () => {} } = options
  const run = randomBytes(6).toString('base64url')
  const networkNames = createNetworkNames(secrets)
  const closing = new AbortController()
  // What is written belongs to no request, neither for traces nor for others that ask where they are called.
  const outside = AsyncLocalStorage.snapshot()
  let waiting: Waiting[] = []
  /** Batches that no reply confirmed yet. The next round begins with them, so the order of a part is kept. */
  let unsent: Batch[] = []
  let number = 0
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  /** Entries that were lost, and not noted as lost yet. */
  const untold = new Map<Loss, number>()

  const lose = (count: number, why: Loss): void => {
    if (count === 0) return
    untold.set(why, (untold.get(why) ?? 0) + count)
    onLost(count, why)
  }

  const argsOf = ({ note, options: { network, once } }: Waiting): EntryArgs => {
    const { person, open, sealed } = encode(note, node, seal)
    const session = person !== '' && network !== undefined ? (note.sid ?? '') : ''
    return [
      ...[note.kind, person, person === '' ? '' : ownerOf(person), open, sealed],
      ...[session, session === '' ? '' : networkNames(person, network ?? '')],
      ...[once?.name ?? '', once?.ms ?? 0],
    ]
  }

  /**
   * Makes batches of the oldest entries that wait, one for each part. A part with an unconfirmed batch waits:
   * its order is kept, and in a Redis Cluster a master that is away holds up no other. What is to be written
   * later waits, and all that follows it of its person.
   */
  const gather = (isForced: boolean): Batch[] => {
    const now = performance.now()
    const blocked = new Set(unsent.map(({ part }) => part))
    const held = new Set<string | undefined>()
    const taken = new Map<string, Waiting[]>()
    const left: Waiting[] = []
    let count = 0
    let late = 0
    for (const one of waiting) {
      const { note, options: how, at } = one
      one.part ??= partOf(note)
      const isHeld = !isForced && (held.has(note.person) || (how.later === true && now - at < gatherMs + SLACK_MS))
      if (isHeld) held.add(note.person)
      if (now - at >= MOST_LATE_MS) late++
      else if (count >= MOST_AT_ONCE || blocked.has(one.part) || isHeld) left.push(one)
      else {
        count++
        const group = taken.get(one.part)
        if (group) group.push(one)
        else taken.set(one.part, [one])
      }
    }
    waiting = left
    lose(late, 'late')
    return [...taken].map(([part, group]) => ({
      ...{ part, waiting: group, args: group.map(argsOf) },
      number: ++number,
    }))
  }

  /** Resolves with whether the batch is over: it was written, or is lost. */
  const send = async (batch: Batch): Promise<boolean> => {
    const { part, waiting: group, args } = batch
    const now = performance.now()
    const timed = group.flatMap(({ at }, i) => [Math.max(0, Math.round(now - at)), ...(args[i] ?? [])])
    if (now - (group[0]?.at ?? now) >= MOST_LATE_MS) {
      lose(group.length, 'late')
      return true
    }
    try {
      const written = await append(
        data,
        [keys.audit(part), keys.auditBatch(part, run)],
        [
          ...([batch.number, mostOf(part, entries), keepMs, mostOwn, MOST_PLACES] as const),
          ...([keys.auditOf(part, ''), keys.auditPlaces(part, ''), keys.auditErased(part, '')] as const),
          keys.auditOnce(part, ''),
          ...timed,
        ],
      )
      for (const [i, { note }] of group.entries()) if (written === 'again' || written[i]) onWritten(note.kind)
      return true
    } catch (error) {
      if (error instanceof RedisUnavailable) return false
      lose(group.length, 'refused')
      onError(error)
      return true
    }
  }

  const tellLosses = (): void => {
    for (const [reason, count] of untold)
      waiting.push({ note: { kind: 'audit.lost', by: 'saoma', reason, count }, options: {}, at: performance.now() })
    untold.clear()
  }

  /** Writes what is due. @param isForced  whether all that waits is due */
  const work = async (isForced: boolean): Promise<void> => {
    let failures = 0
    for (;;) {
      const hadMore = waiting.length > MOST_AT_ONCE
      unsent.push(...gather(isForced))
      if (unsent.length === 0) return
      const results = await Promise.all(unsent.map(send))
      unsent = unsent.filter((_, i) => !results[i])
      if (closing.signal.aborted) return
      if (unsent.length === 0) {
        failures = 0
        // Redis takes entries again.
        if (untold.size > 0) tellLosses()
        // What came meanwhile is gathered again.
        if (!isForced && !hadMore) return
        continue
      }
      failures = results.includes(true) ? 0 : failures + 1
      const pauseMs = failures === 0 ? gatherMs : backoffMs(failures - 1, BACKOFF)
      await delay(pauseMs, undefined, { signal: closing.signal, ref: false }).catch(() => {})
      if (closing.signal.aborted) return
    }
  }

  const start = (isForced: boolean): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    running ??= work(isForced)
      .catch(onError)
      .finally(() => {
        running = undefined
        if (waiting.length > 0 && !closing.signal.aborted) schedule()
      })
    return running
  }

  const schedule = (): void => {
    if (running || timer) return
    timer = outside(() => setTimeout(() => void start(false), gatherMs).unref())
  }

  const end = async (): Promise<void> => {
    while ((running || waiting.length > 0 || unsent.length > 0) && !closing.signal.aborted) await start(true)
  }

  const countWaiting = (): number => waiting.length + unsent.reduce((sum, batch) => sum + batch.waiting.length, 0)

  return {
    note: (note, how = {}) => {
      if (closing.signal.aborted) return lose(1, 'stopped')
      if (countWaiting() >= mostWaiting) return lose(1, 'backlog')
      waiting.push({ note, options: how, at: performance.now() })
      schedule()
    },
    flush: end,
    close: async () => {
      if (closing.signal.aborted) return
      const over = new AbortController()
      await Promise.race([end(), delay(CLOSE_MS, undefined, { signal: over.signal }).catch(() => {})])
      over.abort()
      closing.abort()
      clearTimeout(timer)
      lose(countWaiting(), 'stopped')
      waiting = []
      unsent = []
    },
  }
}
