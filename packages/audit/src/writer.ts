import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'
import { type QuickSeal, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { encode, type Note, type NoteOptions } from './entry.ts'
import type { Kind } from './kinds.ts'
import { createNetworkNames } from './networks.ts'
import { actingKeyOf, hashOf, mostByOf, mostOf, mostOwnOf, partOf, parts } from './parts.ts'
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
  /** Entries of one person that are kept. Of a small audit it is less: a tenth of their part. */
  mostOwn?: number
  /** Milliseconds for which entries are gathered before they are written together. */
  gatherMs?: number
  /** Entries that may wait for Redis. Those of one part may be an eighth of them. */
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
}

/** Entries of one part that leave together, also when they are sent again. Redis takes a number once. */
interface Batch {
  number: number
  waiting: readonly Waiting[]
  /** The arguments of each entry without its age. Made once: the seal draws another text each time. */
  args: readonly EntryArgs[]
}

/** What waits for one part. */
interface Queue {
  part: string
  waiting: Waiting[]
  /** A batch that no reply confirmed yet. The others wait for it, so the order of the part is kept. */
  unsent?: Batch
}

/** What became of a batch. One that is away is sent again. */
type Outcome = 'written' | 'lost' | 'away'

export const MOST_OWN = 500
/** Sessions of a person whose network is remembered: more than a person can have. */
const MOST_PLACES = 300
/** For so long a network is remembered: longer than a session lives without a refresh. */
const PLACES_MS = 15 * 86_400_000
/** What is older than this when it can be written is lost. So a reader knows how late an entry may come. */
export const MOST_LATE_MS = 3_600_000
const GATHER_MS = 500
/** What is to be written later waits for so much longer than the gathering of another node takes. */
const SLACK_MS = 100
const MOST_WAITING = 10_000
/** The share of one part in those. In a Redis Cluster a master that is away fills no place of the others. */
const SHARE_OF_PART = 1 / 8
/**
 * Entries of one part that leave in one round: the longest time that the round keeps the event loop, and a
 * batch keeps Redis.
 */
const MOST_AT_ONCE = 100
const CLOSE_MS = 1_000
const BACKOFF = { baseMs: 100, capMs: 5_000, least: 0.5 }

const countOf = ({ waiting, unsent }: Queue): number => waiting.length + (unsent?.waiting.length ?? 0)

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
  const queues: ReadonlyMap<string, Queue> = new Map(parts.map((part) => [part, { part, waiting: [] }]))
  const all = [...queues.values()]
  let number = 0
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  /** Entries that were lost, and not noted as lost yet. */
  const untold = new Map<Loss, number>()

  const countWaiting = (): number => all.reduce((sum, queue) => sum + countOf(queue), 0)

  const lose = (count: number, why: Loss): void => {
    if (count === 0) return
    untold.set(why, (untold.get(why) ?? 0) + count)
    onLost(count, why)
  }

  /** An entry `audit.lost` that is lost itself is told again. */
  const loseAll = (lost: readonly Waiting[], why: Loss): void => {
    for (const { note } of lost)
      if (note.kind === 'audit.lost') {
        const reason = note.reason as Loss
        untold.set(reason, (untold.get(reason) ?? 0) + (note.count ?? 0))
      }
    lose(lost.filter(({ note }) => note.kind !== 'audit.lost').length, why)
  }

  const add = (note: Note, how: NoteOptions): void => {
    const queue = queues.get(partOf(note))
    const most = Math.ceil(mostWaiting * SHARE_OF_PART)
    if (!queue || countOf(queue) >= most || countWaiting() >= mostWaiting) return lose(1, 'backlog')
    queue.waiting.push({ note, options: how, at: performance.now() })
  }

  const argsOf = ({ note, options: { network, once } }: Waiting): EntryArgs => {
    const { person, open, sealed } = encode(note, node, seal)
    const session = person !== '' && network !== undefined ? (note.sid ?? '') : ''
    return [
      ...[note.kind, person, person === '' ? '' : hashOf(person), actingKeyOf(note) ?? '', open, sealed],
      ...[session, session === '' ? '' : networkNames(person, network ?? '')],
      ...[once?.name ?? '', once?.ms ?? 0],
    ]
  }

  /**
   * Makes a batch of the oldest entries that wait for a part. What is to be written later waits, and all that
   * follows it of its person.
   */
  const gather = (queue: Queue, isForced: boolean): void => {
    if (queue.unsent || queue.waiting.length === 0) return
    const now = performance.now()
    const held = new Set<string | undefined>()
    const taken: Waiting[] = []
    const left: Waiting[] = []
    const late: Waiting[] = []
    for (const one of queue.waiting) {
      const { note, options: how, at } = one
      const isHeld = !isForced && (held.has(note.person) || (how.later === true && now - at < gatherMs + SLACK_MS))
      if (isHeld) held.add(note.person)
      const to = now - at >= MOST_LATE_MS ? late : isHeld || taken.length >= MOST_AT_ONCE ? left : taken
      to.push(one)
    }
    queue.waiting = left
    loseAll(late, 'late')
    if (taken.length > 0) queue.unsent = { number: ++number, waiting: taken, args: taken.map(argsOf) }
  }

  const send = async (part: string, { number: batch, waiting: group, args }: Batch): Promise<Outcome> => {
    const now = performance.now()
    const timed = group.flatMap(({ at }, i) => [Math.max(0, Math.round(now - at)), ...(args[i] ?? [])])
    if (now - (group[0]?.at ?? now) >= MOST_LATE_MS) {
      loseAll(group, 'late')
      return 'lost'
    }
    try {
      const written = await append(
        data,
        [keys.audit(part), keys.auditBatch(part, run)],
        [
          ...([batch, mostOf(part, entries), keepMs, mostOwnOf(part, entries, mostOwn)] as const),
          ...([mostByOf(part, entries), MOST_PLACES, Math.min(keepMs, PLACES_MS)] as const),
          ...([keys.auditOf(part, ''), keys.auditDone(part, ''), keys.auditBy(part, '')] as const),
          ...([keys.auditPlaces(part, ''), keys.auditErased(part, ''), keys.auditOnce(part, '')] as const),
          ...timed,
        ],
      )
      for (const [i, { note }] of group.entries()) if (written === 'again' || written[i]) onWritten(note.kind)
      return 'written'
    } catch (error) {
      if (error instanceof RedisUnavailable) return 'away'
      loseAll(group, 'refused')
      onError(error)
      return 'lost'
    }
  }

  const tellLosses = (): void => {
    const lost = [...untold]
    untold.clear()
    for (const [reason, count] of lost) add({ kind: 'audit.lost', by: 'saoma', reason, count }, {})
  }

  /** Writes what is due. @param isForced  whether all that waits is due */
  const work = async (isForced: boolean): Promise<void> => {
    let failures = 0
    for (;;) {
      for (const queue of all) gather(queue, isForced)
      const hasMore = all.some(({ unsent }) => unsent?.waiting.length === MOST_AT_ONCE)
      const outcomes = await Promise.all(
        all.map(async (queue): Promise<Outcome | undefined> => {
          if (!queue.unsent) return undefined
          const outcome = await send(queue.part, queue.unsent)
          if (outcome !== 'away') delete queue.unsent
          return outcome
        }),
      )
      if (closing.signal.aborted) return
      // Redis takes entries again.
      if (outcomes.includes('written') && untold.size > 0) tellLosses()
      if (!outcomes.includes('away')) {
        failures = 0
        // What came meanwhile is gathered again.
        if (isForced ? countWaiting() === 0 : !hasMore) return
        continue
      }
      failures = outcomes.includes('written') ? 0 : failures + 1
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
        if (countWaiting() > 0 && !closing.signal.aborted) schedule()
      })
    return running
  }

  const schedule = (): void => {
    if (running || timer) return
    timer = outside(() => setTimeout(() => void start(false), gatherMs).unref())
  }

  const end = async (): Promise<void> => {
    while ((running || countWaiting() > 0) && !closing.signal.aborted) await start(true)
  }

  return {
    note: (note, how = {}) => {
      if (closing.signal.aborted) return lose(1, 'stopped')
      add(note, how)
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
      for (const queue of all) {
        queue.waiting = []
        delete queue.unsent
      }
    },
  }
}
