import type { Redis } from 'ioredis'

/** Milliseconds since 1970, the same for all workers on all machines. */
export interface Clock {
  now(): number
}

const here = (): number => performance.timeOrigin + performance.now()

export const localClock: Clock = { now: here }

/** How often the clock is read. The fastest answer is the most accurate. */
const QUESTIONS = 8

/**
 * The clock of the Redis that connects the workers. Clocks of machines may differ by more than a message
 * takes. Between machines this clock is accurate to about half a round trip.
 */
export const createClock = async (redis: Redis): Promise<Clock> => {
  let best = { tripMs: Number.POSITIVE_INFINITY, offsetMs: 0 }
  for (let i = 0; i < QUESTIONS; i++) {
    const asked = here()
    const [seconds, micros] = await redis.time()
    const answered = here()
    const tripMs = answered - asked
    const theirs = Number(seconds) * 1_000 + Number(micros) / 1_000
    if (tripMs < best.tripMs) best = { tripMs, offsetMs: theirs - (asked + answered) / 2 }
  }
  return { now: () => here() + best.offsetMs }
}
