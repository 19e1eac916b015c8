import { UsageError } from './usage-error.ts'

const UNITS: Readonly<Record<string, number>> = { us: 0.001, µs: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a text such as `250ms`, `10s` or `5m`; undefined for any other text. */
export const readMs = (text: string): number | undefined => {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([a-zµ]+)$/.exec(text) ?? []
  const factor = UNITS[unit]
  return number === undefined || factor === undefined ? undefined : Number(number) * factor
}

/** A time for people: `850us`, `12.3ms`, `4.20s`. */
export const showMs = (ms: number): string => {
  if (!Number.isFinite(ms)) return '-'
  if (ms < 1) return `${Math.round(ms * 1_000)}us`
  if (ms < 1_000) return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms)}ms`
  return `${(ms / 1_000).toFixed(2)}s`
}

/** A time option between its bounds, in milliseconds. Throws UsageError. */
export const timeWithin = (name: string, text: string, leastMs: number, mostMs: number): number => {
  const ms = readMs(text)
  if (ms === undefined || ms < leastMs || ms > mostMs)
    throw new UsageError(
      `--${name} takes a time from ${leastMs / 1_000}s to ${mostMs / 1_000}s, such as 30s or 5m, not "${text}"`,
    )
  return ms
}

/** A whole-number option between its bounds. Throws UsageError. */
export const countWithin = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UsageError(`--${name} takes whole numbers from ${least} to ${most}, not "${text}"`)
  return value
}

/** A rate option (times per second) between its bounds. Throws UsageError. */
export const rateWithin = (name: string, text: string, most: number): number => {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value > most)
    throw new UsageError(`--${name} takes a number of times a second from 0 to ${most}, not "${text}"`)
  return value
}
