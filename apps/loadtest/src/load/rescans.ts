import type { Outage } from './chaos.ts'
import { faults } from './faults.ts'

/** A login that was confirmed and whose code was worth nothing when its tokens were asked for again. */
export interface Rescan {
  /** Milliseconds since the beginning: when its tokens were first asked for in vain. */
  at: number
  /** What that was answered; undefined when no answer came. */
  answer?: string
  say: string
}

/** What was asked for shortly before a fault may meet it on its way. */
const BEFORE_MS = 1_000

/**
 * Whether nobody could know if the code was used up: no answer came, or Redis itself gave none at that time.
 * A node that answers "try again" while Redis answers everything has used up the code of a login that it did
 * not complete.
 */
const isExcused = ({ at, answer }: Rescan, outages: readonly Outage[]): boolean =>
  answer === undefined ||
  outages.some(
    ({ fault, from, to, greenAt }) =>
      fault !== 'storm' && faults[fault].silent && at >= from - BEFORE_MS && at <= (greenAt ?? to),
  )

/** Tells those that are nobody's fault from logins that were lost. */
export const judgeRescans = (
  rescans: readonly Rescan[],
  outages: readonly Outage[],
): { excused: Rescan[]; lost: Rescan[] } => ({
  excused: rescans.filter((rescan) => isExcused(rescan, outages)),
  lost: rescans.filter((rescan) => !isExcused(rescan, outages)),
})

export const showRescan = ({ at, answer, say }: Rescan): string =>
  `${say}; its tokens were first asked for in vain at ${(at / 1_000).toFixed(1)} s: ${answer ?? 'no answer'}`
