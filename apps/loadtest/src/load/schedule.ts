import type { Clock } from './clock.ts'
import type { Recorder } from './recorder.ts'

export interface ScheduleOptions {
  /** Rate per second after the ramp. */
  perSecond: number
  /** The rate grows from zero over this time. */
  rampMs: number
  /** When the schedule begins, by the clock. */
  at: number
  /** 0 to 1: this worker's offset between two of its own starts, so that workers do not act in step. */
  phase: number
  /** Does one action that was due at `dueAt`. The next one does not wait for it. Must not reject. */
  act: (dueAt: number) => Promise<void>
}

/** Actions that start on schedule, whatever became of earlier ones. */
export interface Schedule {
  /** Starts nothing new. Resolves when everything that was started has ended. */
  end(): Promise<void>
}

/** Maximum of concurrent actions. A further due action is not started, and counts as an error. */
const MOST_UNDER_WAY = 5_000
const LONGEST_SLEEP_MS = 1_000

/** When the n-th action is due: the rate rises linearly, then stays constant. */
const dueAfter = (n: number, perSecond: number, rampMs: number): number => {
  const perMs = perSecond / 1_000
  const inRamp = (perMs * rampMs) / 2
  return n < inRamp ? Math.sqrt((2 * rampMs * n) / perMs) : rampMs + (n - inRamp) / perMs
}

/**
 * Open loop: a due action starts whether or not the server has answered earlier ones. Every time is measured
 * from when the action was due. So a stall of one second shows in the times of all actions that were due in
 * it, not as one slow answer.
 */
export const startSchedule = (
  deps: { clock: Clock; recorder: Recorder },
  { perSecond, rampMs, at, phase, act }: ScheduleOptions,
): Schedule => {
  const { clock, recorder } = deps
  const underWay = new Set<Promise<void>>()
  let begun = 0
  let timer: NodeJS.Timeout | undefined

  const begin = (dueAt: number) => {
    recorder.time('late', clock.now() - dueAt)
    if (underWay.size >= MOST_UNDER_WAY) return recorder.error(`not begun: ${MOST_UNDER_WAY} under way`)
    const acting = act(dueAt).finally(() => underWay.delete(acting))
    underWay.add(acting)
  }

  const wake = () => {
    for (;;) {
      const dueAt = at + dueAfter(begun + phase, perSecond, rampMs)
      const inMs = dueAt - clock.now()
      if (inMs > 0) {
        timer = setTimeout(wake, Math.min(inMs, LONGEST_SLEEP_MS))
        return
      }
      begun++
      begin(dueAt)
    }
  }

  if (perSecond > 0) wake()
  return {
    end: async () => {
      clearTimeout(timer)
      await Promise.all(underWay)
    },
  }
}

/** Start times of a crowd, spread evenly over the ramp. */
export const spread = (count: number, rampMs: number): number[] =>
  Array.from({ length: count }, (_, i) => (i * rampMs) / count)
