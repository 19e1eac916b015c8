import { setTimeout as delay } from 'node:timers/promises'
import { type RedisClients, RedisUnavailable, reconnectDelayMs } from '@saoma/redis'
import type { Logger } from './log.ts'
import type { OperatorServer } from './operator-server.ts'

/** How the start of a node waits for Redis: as long as it takes, with a back-off, and aloud. */
export interface Patience {
  /** Told of each error of a connection that is being opened. */
  hear(error: Error): void
  /**
   * Repeats a step of the start while it rejects with RedisUnavailable. Any other error is for its caller.
   */
  until<T>(step: () => Promise<T>): Promise<T>
}

/** One sentence in this time. */
const SAY_MS = 10_000

/**
 * A node that ended because Redis is away would be started again after longer and longer pauses by whoever
 * starts it, and be away for minutes after Redis is back.
 *
 * @param onWait  told of each reason to wait, and whether it is time to say it again
 * @param clock  milliseconds
 */
export const createPatience = (
  onWait: (reason: string, isTime: boolean) => void,
  clock: () => number = () => performance.now(),
): Patience => {
  let sayAt = Number.NEGATIVE_INFINITY
  const hear = ({ message, cause }: Error) => {
    const now = clock()
    const isTime = now >= sayAt
    if (isTime) sayAt = now + SAY_MS
    onWait(
      cause instanceof Error && !message.includes(cause.message) ? `${message} (${cause.message})` : message,
      isTime,
    )
  }
  return {
    hear,
    until: async (step) => {
      for (let tries = 0; ; tries++) {
        try {
          return await step()
        } catch (error) {
          if (!(error instanceof RedisUnavailable)) throw error
          hear(error)
        }
        await delay(reconnectDelayMs(tries))
      }
    },
  }
}

/** The same for a node: who asks at its internal port hears the reason, and the log has it at times. */
export const openPatience = (
  place: string,
  {
    internal,
    internalPort,
    log,
  }: { internal: Pick<OperatorServer, 'waitsFor'>; internalPort: number; log: Pick<Logger, 'error'> },
): Patience =>
  createPatience((reason, isTime) => {
    const sentence = `${reason}. The node waits for it: REDIS_URL names ${place}`
    internal.waitsFor(sentence)
    if (isTime) log.error({ event: 'waiting', internalPort }, sentence)
  })

/** Most looks for the first message to itself, and the time between two. */
const LOOKS = 100
const LOOK_MS = 20

/**
 * A node that has not heard itself through Redis is not ready. It takes some milliseconds, so nobody should
 * see it.
 */
export const heardItself = async ({ echoAge }: Pick<RedisClients, 'echoAge'>): Promise<void> => {
  for (let look = 0; look < LOOKS && echoAge() === undefined; look++) await delay(LOOK_MS)
}
