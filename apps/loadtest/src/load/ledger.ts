import { isEmptyEpoch, type Position } from '@saoma/protocol'
import type { Account } from './account.ts'
import { rangesOf, showRanges } from './ranges.ts'

/** An acknowledged message, and its position. */
export interface Acknowledged extends Position {
  id: string
}

/** The content of a message of a run. */
export interface Content {
  /** The channel it was published to. */
  to: string
  /** An id that is unique in the whole run: its publisher's name and a number. */
  id: string
}

/** A follower of a channel. */
export interface Reader {
  /** From this position on the reader must receive everything. Only the first call counts. */
  joined(position: Position): void
  received(position: Position, content: Content): void
  /**
   * The reader was informed that messages are missing, perhaps for good, or that some earlier ones are gone.
   * It continues after `position`. From now on it may receive earlier messages again.
   */
  skipped(position: Position): void
}

/** What one reader has of one epoch: everything up to `top` except `missing`. */
interface Progress {
  /** The offset after which it began to read. */
  start: number
  top: number
  missing: Set<number>
  /**
   * Hashes of the ids that it received, by offset from `start`. A set of strings per reader would be too
   * large.
   */
  given: number[]
}

/** An entry of the books. Its hash is stored, because every reader's messages are compared with it. */
interface Entry extends Acknowledged {
  number: number
}

/** An acknowledged message that may not have reached everyone yet, with the time of its acknowledgement. */
interface Due extends Entry {
  at: number
}

interface Following {
  name: string
  progress: Map<string, Progress>
  /** It joined an empty channel, so it must receive the log from its first message on. */
  sawEmpty: boolean
  /**
   * Ids that it received since it was first informed of missing messages. The log may have a new epoch since
   * then.
   */
  since?: Set<string>
}

interface Page {
  /** By epoch and offset. */
  acknowledged: Map<string, Map<number, Entry>>
  /** The acknowledged position of each message, by its id. */
  places: Map<string, Position>
  /**
   * The first known place of each message, whether received or acknowledged. `twice` has those with a second
   * one.
   */
  heard: Map<string, string>
  twice: string[]
  /** A reader was informed that the log has changed. */
  isTold: boolean
  readers: Following[]
  /** In order of acknowledgement. */
  due: Due[]
  /** When the last message before those was acknowledged. */
  arrivedUntil: number
}

/**
 * FNV-1a. If two messages claim the same offset and a reader has one, the hash tells which, barring a
 * collision.
 */
const numberOf = (id: string): number => {
  let number = 0x811c9dc5
  for (let i = 0; i < id.length; i++) number = Math.imul(number ^ id.charCodeAt(i), 0x01000193)
  return number
}

/** The maximum of named faults of each kind. The rest is only counted. */
const MOST_NAMED = 50

/** Checks every acknowledged message against every reader that should have it. */
export const createLedger = () => {
  const pages = new Map<string, Page>()
  const named: Account['named'] = { lost: [], duplicated: [], disordered: [], wrong: [] }
  const counts = { acknowledged: 0, received: 0, duplicated: 0, disordered: 0, wrong: 0 }

  const pageOf = (channel: string): Page => {
    const page = pages.get(channel) ?? {
      acknowledged: new Map(),
      places: new Map(),
      heard: new Map(),
      twice: [],
      isTold: false,
      readers: [],
      due: [],
      arrivedUntil: Number.NEGATIVE_INFINITY,
    }
    pages.set(channel, page)
    return page
  }

  const name = (kind: keyof Account['named'], text: string) => {
    if (named[kind].length < MOST_NAMED) named[kind].push(text)
  }

  const note = (kind: 'duplicated' | 'disordered' | 'wrong', text: string) => {
    counts[kind]++
    name(kind, text)
  }

  /** A repeated acknowledgement, under a newer epoch of the log, counts at its first position. */
  const enter = (page: Page, channel: string, { epoch, offset, id }: Acknowledged) => {
    const known = page.places.get(id)
    if (known) {
      if (known.offset === offset) return
      return note(
        'duplicated',
        `${channel}: message ${id} is kept at ${known.epoch}:${known.offset} and ${epoch}:${offset}`,
      )
    }
    page.places.set(id, { epoch, offset })
    const entries = page.acknowledged.get(epoch) ?? new Map<number, Entry>()
    page.acknowledged.set(epoch, entries.set(offset, { epoch, offset, id, number: numberOf(id) }))
  }

  /**
   * A message in two places was stored twice despite its idempotency key. Or a demoted master that did not
   * know it reported the message; then readers must be informed.
   */
  const place = (page: Page, channel: string, { epoch, offset }: Position, id: string) => {
    const here = `${epoch}:${offset}`
    const known = page.heard.get(id)
    if (known === undefined) page.heard.set(id, here)
    else if (known !== here) page.twice.push(`${channel}: message ${id} lies at ${known} and at ${here}`)
  }

  const addReader = (channel: string, reader: string): Reader => {
    const page = pageOf(channel)
    const progress: Map<string, Progress> = new Map()
    const following: Following = { name: reader, progress, sawEmpty: false }
    page.readers.push(following)
    /** A log that is new to this reader counts from its first message on, unless the reader began with it. */
    const at = (epoch: string, begin: number): Progress => {
      const start = progress.size === 0 && !following.sawEmpty ? begin : 0
      const known = progress.get(epoch) ?? { start, top: start, missing: new Set(), given: [] }
      progress.set(epoch, known)
      return known
    }
    const advance = (known: Progress, to: number) => {
      for (let offset = known.top + 1; offset < to; offset++) known.missing.add(offset)
      known.top = Math.max(known.top, to)
    }
    return {
      joined: ({ epoch, offset }) => {
        if (progress.size > 0) return
        if (isEmptyEpoch(epoch)) following.sawEmpty = true
        else at(epoch, offset)
      },
      received: (position, content) => {
        const { epoch, offset } = position
        counts.received++
        if (content.to !== channel)
          note('wrong', `${channel}: ${reader} was given ${epoch}:${offset}, which was for ${content.to}`)
        else place(page, channel, position, content.id)
        following.since?.add(content.id)
        const known = at(epoch, offset - 1)
        known.given[offset - known.start] ??= numberOf(content.id)
        if (offset > known.top) return advance(known, offset)
        if (known.missing.delete(offset))
          return note('disordered', `${channel}: ${reader} was given ${epoch}:${offset} after ${known.top}`)
        note('duplicated', `${channel}: ${reader} was given ${epoch}:${offset} again`)
      },
      skipped: ({ epoch, offset }) => {
        page.isTold = true
        following.since ??= new Set()
        // The next message, or the end, shows what is missing.
        at(epoch, offset)
      },
    }
  }

  /**
   * Whether the reader has the message, or was never promised it. A message keeps its offset when its log
   * gets a new epoch, and may be acknowledged again there. At the same offset the reader may have received
   * another message.
   */
  const hasGot = ({ progress, sawEmpty, since }: Following, { epoch, offset, id, number }: Entry): boolean => {
    if (progress.size === 0 && !sawEmpty) return true
    if (offset <= (progress.get(epoch)?.start ?? 0) || since?.has(id)) return true
    for (const { start, given } of progress.values()) if (given[offset - start] === number) return true
    return false
  }

  /** Acknowledged offsets that the reader must have and does not have. */
  const lostTo = (page: Page, following: Following, epoch: string): number[] =>
    [...(page.acknowledged.get(epoch)?.values() ?? [])]
      .filter((entry) => !hasGot(following, entry))
      .map(({ offset }) => offset)

  const hasArrived = ({ readers }: Page, due: Due): boolean => readers.every((following) => hasGot(following, due))

  /** Removes arrived messages, up to the first that has not arrived. */
  const settleDue = (page: Page) => {
    const first = page.due.findIndex((due) => !hasArrived(page, due))
    for (const { at } of page.due.splice(0, first < 0 ? page.due.length : first)) page.arrivedUntil = at
  }

  const eachLoss = function* () {
    for (const [channel, page] of pages)
      for (const reader of page.readers)
        for (const epoch of page.acknowledged.keys()) {
          const offsets = lostTo(page, reader, epoch)
          if (offsets.length > 0) yield { channel, reader: reader.name, epoch, offsets }
        }
  }

  return {
    addReader,

    /**
     * Records a message's position as the server acknowledged it.
     *
     * @param at  time by the worker's clock
     */
    acknowledged: (channel: string, position: Position, id: string, at = 0): void => {
      const page = pageOf(channel)
      counts.acknowledged++
      const { epoch, offset } = position
      enter(page, channel, { epoch, offset, id })
      place(page, channel, position, id)
      page.due.push({ epoch, offset, id, number: numberOf(id), at })
    },

    /**
     * The time up to which all acknowledged messages have arrived in all channels, and some in this one: its
     * readers hear. Without a later message in this channel nothing is known about later times.
     */
    arrivedUntil: (channel: string): number => {
      for (const page of pages.values()) settleDue(page)
      const waiting = [...pages.values()].flatMap(({ due: [first] }) => (first ? [first.at] : []))
      return Math.min(pageOf(channel).arrivedUntil, ...waiting)
    },

    /** All acknowledged messages of a channel, for workers with other readers of it. */
    told: (channel: string): Acknowledged[] =>
      [...pageOf(channel).places].map(([id, { epoch, offset }]) => ({ epoch, offset, id })),

    /** Adds messages of the channel that other workers saw acknowledged. */
    assume: (channel: string, told: readonly Acknowledged[]): void => {
      for (const each of told) enter(pageOf(channel), channel, each)
    },

    /** Whether every acknowledged message has arrived everywhere. */
    isComplete: (): boolean => eachLoss().next().done === true,

    account: (): Account => {
      const lost = [...eachLoss()]
      const texts = lost.map(
        ({ channel, reader, epoch, offsets }) =>
          `${channel}: ${reader} never got ${epoch}:${showRanges(rangesOf(offsets))}`,
      )
      const twice = [...pages.values()].flatMap((page) => (page.isTold ? [] : page.twice))
      return {
        ...counts,
        duplicated: counts.duplicated + twice.length,
        lost: lost.reduce((sum, { offsets }) => sum + offsets.length, 0),
        named: {
          ...named,
          lost: texts.slice(0, MOST_NAMED),
          duplicated: [...named.duplicated, ...twice].slice(0, MOST_NAMED),
        },
      }
    },
  }
}

export type Ledger = ReturnType<typeof createLedger>
