import type { Clock } from './clock.ts'
import type { Recorder } from './recorder.ts'

export interface ScheduleOptions {
  /** How often a second, once the ramp is over. */
  perSecond: number
  /** The rate grows from nothing over so long. */
  rampMs: number
  /** When it begins, by the clock. */
  at: number
  /**
   * 0 to 1: where between two beginnings of its own this worker's lie, so that workers do not act in step.
   */
  phase: number
  /** Does one thing that was due at `dueAt`. Not awaited by the next; must not reject. */
  act: (dueAt: number) => Promise<void>
}

/** Something that is begun at its times, whatever became of the times before. */
export interface Schedule {
  /** Begins nothing more; resolves when all that was begun has ended. */
  end(): Promise<void>
}

/** Things under way at one time. What is due beyond that is not begun, and counted as an error. */
const MOST_UNDER_WAY = 5_000
const LONGEST_SLEEP_MS = 1_000

/** When the n-th is due: the rate rises in a straight line, then stays. */
const dueAfter = (n: number, perSecond: number, rampMs: number): number => {
  const perMs = perSecond / 1_000
  const inRamp = (perMs * rampMs) / 2
  return n < inRamp ? Math.sqrt((2 * rampMs * n) / perMs) : rampMs + (n - inRamp) / perMs
}

/**
 * Open loop: what is due is begun whether or not the server has answered the last, and every time is measured
 * from when it was due. A server that stalls for a second shows as that second in the times of all that was
 * due in it, not as one slow answer.
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

/** Times at which each of a crowd is due, spread evenly over the ramp. */
export const spread = (count: number, rampMs: number): number[] =>
  Array.from({ length: count }, (_, i) => (i * rampMs) / count)
