import type { Histogram } from 'hdr-histogram-js'
import type { Counter, Timing } from './metric-names.ts'
import { createHistogram, decode, type Slice } from './recorder.ts'

/** The percentiles that a chart shows, in milliseconds. */
export interface Percentiles {
  count: number
  p50: number
  p95: number
  p99: number
  max: number
}

/** One second of the whole run. */
export interface Second {
  second: number
  counts: Partial<Record<Counter, number>>
  times: Partial<Record<Timing, Percentiles>>
  connected: number
  wanted: number
}

/** A second that still waits for slices. */
interface Open extends Omit<Second, 'times'> {
  slices: number
  times: Partial<Record<Timing, Histogram>>
}

/** A worker that is this late no longer delays a second. */
const LATEST_SECONDS = 5
const US_PER_MS = 1_000

const addTo = (into: Partial<Record<string, number>>, counts: Partial<Record<string, number>>) => {
  for (const [name, value] of Object.entries(counts)) into[name] = (into[name] ?? 0) + (value ?? 0)
}

const percentilesOf = (histogram: Histogram): Percentiles => ({
  count: histogram.totalCount,
  p50: histogram.getValueAtPercentile(50) / US_PER_MS,
  p95: histogram.getValueAtPercentile(95) / US_PER_MS,
  p99: histogram.getValueAtPercentile(99) / US_PER_MS,
  max: histogram.maxValue / US_PER_MS,
})

/**
 * Merges the workers' slices. Seconds of the ramp show their times but do not count in the totals:
 * measurements under partial load do not represent the whole.
 */
export const createTimeline = (options: { workers: number; rampSeconds: number }) => {
  const open = new Map<number, Open>()
  const seconds: Second[] = []
  const totals = new Map<Timing, Histogram>()
  const counts: Partial<Record<Counter, number>> = {}
  const errors: Record<string, number> = {}
  const refused: Record<string, number> = {}
  let newest = -1
  let closed = -1

  const close = (second: number) => {
    const slice = open.get(second)
    closed = Math.max(closed, second)
    if (!slice) return
    open.delete(second)
    const times: Second['times'] = {}
    for (const [name, histogram] of Object.entries(slice.times) as [Timing, Histogram][])
      times[name] = percentilesOf(histogram)
    const { slices: _, ...rest } = slice
    seconds.push({ ...rest, times })
  }

  const take = (slice: Slice): void => {
    addTo(counts, slice.counts)
    addTo(errors, slice.errors)
    addTo(refused, slice.refused)
    newest = Math.max(newest, slice.second)
    const isLate = slice.second <= closed
    const into: Open | undefined = isLate
      ? undefined
      : (open.get(slice.second) ?? { second: slice.second, counts: {}, times: {}, connected: 0, wanted: 0, slices: 0 })
    for (const [name, text] of Object.entries(slice.times) as [Timing, string][]) {
      const histogram = decode(text)
      if (slice.second >= options.rampSeconds) {
        const total = totals.get(name) ?? createHistogram()
        totals.set(name, total)
        total.add(histogram)
      }
      if (!into) continue
      const present = into.times[name] ?? createHistogram()
      into.times[name] = present
      present.add(histogram)
    }
    if (!into) return
    open.set(slice.second, into)
    addTo(into.counts, slice.counts)
    into.connected += slice.connected
    into.wanted += slice.wanted
    into.slices++
    for (const second of [...open.keys()].sort((a, b) => a - b))
      if ((open.get(second)?.slices ?? 0) >= options.workers || second <= newest - LATEST_SECONDS) close(second)
      else break
  }

  return {
    take,
    /** Closed seconds, in order. */
    seconds,
    /** Totals of all seconds after the ramp. */
    totals,
    counts,
    errors,
    refused,
    /** No further slices will come. */
    end: (): void => {
      for (const second of [...open.keys()].sort((a, b) => a - b)) close(second)
    },
  }
}

export type Timeline = ReturnType<typeof createTimeline>
