import type { Outage } from './chaos.ts'
import { faults } from './faults.ts'

/** A confirmed login whose code was invalid when the browser asked for its tokens again. */
export interface Rescan {
  /** When the first request for tokens failed, in milliseconds since the beginning. */
  at: number
  /** The answer to that request; undefined if there was none. */
  answer?: string
  say: string
}

/** A fault may hit a request that was sent up to this long before it. */
const BEFORE_MS = 1_000

/**
 * Whether nobody could know if the code was used up: the request had no answer, or Redis gave none at that
 * time. Otherwise it is the node's fault. It answered "try again" although Redis answered everything, and it
 * used up the code of a login that it did not complete.
 */
const isExcused = ({ at, answer }: Rescan, outages: readonly Outage[]): boolean =>
  answer === undefined ||
  outages.some(
    ({ fault, from, to, greenAt }) =>
      fault !== 'storm' && faults[fault].silent && at >= from - BEFORE_MS && at <= (greenAt ?? to),
  )

/** Separates excused rescans from lost logins. */
export const judgeRescans = (
  rescans: readonly Rescan[],
  outages: readonly Outage[],
): { excused: Rescan[]; lost: Rescan[] } => ({
  excused: rescans.filter((rescan) => isExcused(rescan, outages)),
  lost: rescans.filter((rescan) => !isExcused(rescan, outages)),
})

export const showRescan = ({ at, answer, say }: Rescan): string =>
  `${say}; its tokens were first asked for in vain at ${(at / 1_000).toFixed(1)} s: ${answer ?? 'no answer'}`
