import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js'
import type { Counter, Timing } from './metric-names.ts'

/** The measurements of one worker in one second. */
export interface Slice {
  /** Whole seconds since the beginning. */
  second: number
  counts: Partial<Record<Counter, number>>
  /** Errors and refusals by kind: what was given up, and what was refused and retried. */
  errors: Record<string, number>
  refused: Record<string, number>
  /** HDR histograms of microseconds, encoded. */
  times: Partial<Record<Timing, string>>
  /** Sockets that are connected and served, and sockets that should be. */
  connected: number
  wanted: number
}

/** Maximum of distinct kinds of errors. Further kinds share one entry. */
const MOST_KINDS = 40
const OTHER = 'others'
/** A clock may jump back a little, but a time cannot be negative. */
const LEAST_US = 0

export const createHistogram = (): Histogram =>
  build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: 3, useWebAssembly: false })

export const decode = (text: string): Histogram => decodeFromCompressedBase64(text, 32, false)

const bump = (counts: Record<string, number>, kind: string, by = 1) => {
  const known = kind in counts || Object.keys(counts).length < MOST_KINDS ? kind : OTHER
  counts[known] = (counts[known] ?? 0) + by
}

/** Collects the measurements of a worker. */
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

    /** Counts an operation that was given up. */
    error: (kind: string): void => {
      count('errors')
      bump(errors, kind)
    },

    /** Counts a refused or broken request or handshake. Its caller retries. */
    refuse: (kind: string): void => {
      count('refused')
      if (kind.startsWith('429')) count('limited')
      bump(refused, kind)
    },

    /** Returns everything since the last call. */
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
