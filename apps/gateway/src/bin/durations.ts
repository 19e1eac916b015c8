const MINUTE_MS = 60_000
export const DAY_MS = 24 * 60 * MINUTE_MS
const UNITS: Readonly<Record<string, number>> = { m: MINUTE_MS, h: 60 * MINUTE_MS, d: DAY_MS }

/** How long a secret that was replaced stays good. */
export const USUAL_OVERLAP_MS = DAY_MS
export const LONGEST_OVERLAP_MS = 30 * DAY_MS

/** `90d` -> milliseconds; undefined for a text that is no duration. */
export const durationOf = (text: string): number | undefined => {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? (text === '0' ? ['', '0', 'm'] : [])
  return count === undefined ? undefined : Number(count) * (UNITS[unit] ?? 0)
}
