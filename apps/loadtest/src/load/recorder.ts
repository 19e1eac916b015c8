import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js'
import type { Counter, Timing } from './metric-names.ts'

/** What one worker saw in one second. */
export interface Slice {
  /** Whole seconds since the beginning. */
  second: number
  counts: Partial<Record<Counter, number>>
  /** What was given up, and what was refused and tried again, by kind. */
  errors: Record<string, number>
  refused: Record<string, number>
  /** HDR histograms of microseconds, encoded. */
  times: Partial<Record<Timing, string>>
  /** Sockets that are connected and served, and that should be. */
  connected: number
  wanted: number
}

/** Kinds of errors that are told apart; what comes after is one kind. */
const MOST_KINDS = 40
const OTHER = 'others'
/** A clock may jump back by a little; a time cannot be negative. */
const LEAST_US = 0

export const createHistogram = (): Histogram =>
  build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: 3, useWebAssembly: false })

export const decode = (text: string): Histogram => decodeFromCompressedBase64(text, 32, false)

const bump = (counts: Record<string, number>, kind: string, by = 1) => {
  const known = kind in counts || Object.keys(counts).length < MOST_KINDS ? kind : OTHER
  counts[known] = (counts[known] ?? 0) + by
}

/** Collects what happens in a worker. */
export const createRecorder = () => {
  const times = new Map<Timing, Histogram>()
  let counts: Partial<Record<Counter, number>> = {}
  let errors: Record<string, number> = {}
  let refused: Record<string, number> = {}

  const count = (name: Counter, by = 1) => {
    counts[name] = (counts[name] ?? 0) + by
  }

  return {
    count,

    time: (name: Timing, ms: number): void => {
      const histogram = times.get(name) ?? createHistogram()
      times.set(name, histogram)
      histogram.recordValue(Math.max(LEAST_US, Math.round(ms * 1_000)))
    },

    /** Something was given up. */
    error: (kind: string): void => {
      count('errors')
      bump(errors, kind)
    },

    /** A request or a handshake was refused or broke; whoever made it goes on trying. */
    refuse: (kind: string): void => {
      count('refused')
      if (kind.startsWith('429')) count('limited')
      bump(refused, kind)
    },

    /** All since the last call. */
    take: (): Pick<Slice, 'counts' | 'errors' | 'refused' | 'times'> => {
      const taken = { counts, errors, refused, times: {} as Slice['times'] }
      for (const [name, histogram] of times) {
        if (histogram.totalCount === 0) continue
        taken.times[name] = encodeIntoCompressedBase64(histogram)
        histogram.reset()
      }
      counts = {}
      errors = {}
      refused = {}
      return taken
    },
  }
}

export type Recorder = ReturnType<typeof createRecorder>
