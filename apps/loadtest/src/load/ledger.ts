import { isEmptyEpoch, type Position } from '@saoma/protocol'
import type { Account } from './account.ts'
import { rangesOf, showRanges } from './ranges.ts'

/** A message that was acknowledged, and where it lies. */
export interface Acknowledged extends Position {
  id: string
}

/** What a message of a run carries. */
export interface Content {
  /** The channel it was published to. */
  to: string
  /** Its own name, in all of the run: its publisher's, and a number. */
  id: string
}

/** One who follows a channel. */
export interface Reader {
  /** From here on nothing may be missing. The first call counts. */
  joined(position: Position): void
  received(position: Position, content: Content): void
  /**
   * It was told that messages are missing, perhaps for good, or that some it had are gone, and stands at
   * `position` after what it is given now. From then on it may be given what it had before.
   */
  skipped(position: Position): void
}

/** What one reader has of one epoch: all up to `top`, but for the missing. */
interface Progress {
  /** Where it began to read. */
  start: number
  top: number
  missing: Set<number>
  /**
   * What it was given from there on, as numbers of the ids: a set of texts for each reader would be too much.
   */
  given: number[]
}

/** As the books have it: ids are compared with those of each reader, again and again. */
interface Entry extends Acknowledged {
  number: number
}

/**
 * What was acknowledged and is not known to have arrived everywhere, with the time of its acknowledgement.
 */
interface Due extends Entry {
  at: number
}

interface Following {
  name: string
  progress: Map<string, Progress>
  /** It joined a channel that was empty: it is owed the log from its first message on. */
  sawEmpty: boolean
  /**
   * Ids of all that came since it was first told that something is missing: the log may have another epoch
   * since then.
   */
  since?: Set<string>
}

interface Page {
  /** By epoch and offset. */
  acknowledged: Map<string, Map<number, Entry>>
  /** Where each message was acknowledged to lie, by its id. */
  places: Map<string, Position>
  /** Where each was first heard, and those that were heard or acknowledged elsewhere as well. */
  heard: Map<string, string>
  twice: string[]
  /** Somebody was told that the log is not what it was. */
  isTold: boolean
  readers: Following[]
  /** In the order of their acknowledgements. */
  due: Due[]
  /** When the last one before those was acknowledged. */
  arrivedUntil: number
}

/**
 * FNV-1a. Two messages in one place of which a reader has but one are told apart by it, as far as chance
 * goes.
 */
const numberOf = (id: string): number => {
  let number = 0x811c9dc5
  for (let i = 0; i < id.length; i++) number = Math.imul(number ^ id.charCodeAt(i), 0x01000193)
  return number
}

/** Faults that are named, of each kind; the others are only counted. */
const MOST_NAMED = 50

/** Counts every message that was acknowledged against every reader that should have it. */
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

  /**
   * One that is acknowledged once more, under another epoch that its log has got meanwhile, counts where it
   * was first.
   */
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
   * A message that lies in two places was kept twice, whatever its idempotency key said; or a master that had
   * been replaced without knowing it told of it, of which readers are to be told.
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
    /**
     * A log that is new to this reader is whole from its first message on, unless the reader begins with it.
     */
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
        // What it is not given now is found missing at the next message, or at the end.
        at(epoch, offset)
      },
    }
  }

  /**
   * Whether it has the message, or was never promised it. A message keeps its offset when its log gets
   * another epoch, in which it may be acknowledged once more; and in its place a reader may have been given
   * another one.
   */
  const hasGot = ({ progress, sawEmpty, since }: Following, { epoch, offset, id, number }: Entry): boolean => {
    if (progress.size === 0 && !sawEmpty) return true
    if (offset <= (progress.get(epoch)?.start ?? 0) || since?.has(id)) return true
    for (const { start, given } of progress.values()) if (given[offset - start] === number) return true
    return false
  }

  /** Offsets that were acknowledged while the reader followed and that it does not have. */
  const lostTo = (page: Page, following: Following, epoch: string): number[] =>
    [...(page.acknowledged.get(epoch)?.values() ?? [])]
      .filter((entry) => !hasGot(following, entry))
      .map(({ offset }) => offset)

  const hasArrived = ({ readers }: Page, due: Due): boolean => readers.every((following) => hasGot(following, due))

  /** Forgets what has arrived, up to the first that has not. */
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
     * The server has said where this message lies.
     *
     * @param at  when, by the worker's clock
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
     * Until when all that was acknowledged has arrived, in all channels, and in this one something: its
     * readers hear. Whoever published nothing into it since knows nothing of later.
     */
    arrivedUntil: (channel: string): number => {
      for (const page of pages.values()) settleDue(page)
      const waiting = [...pages.values()].flatMap(({ due: [first] }) => (first ? [first.at] : []))
      return Math.min(pageOf(channel).arrivedUntil, ...waiting)
    },

    /** What all have been told of a channel, to hand to those who keep books of its other readers. */
    told: (channel: string): Acknowledged[] =>
      [...pageOf(channel).places].map(([id, { epoch, offset }]) => ({ epoch, offset, id })),

    /** Others were told this of the channel. */
    assume: (channel: string, told: readonly Acknowledged[]): void => {
      for (const each of told) enter(pageOf(channel), channel, each)
    },

    /** Whether nothing that was acknowledged is missing anywhere. */
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
