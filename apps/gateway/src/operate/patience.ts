import { setTimeout as delay } from 'node:timers/promises'
import { type RedisClients, RedisUnavailable, reconnectDelayMs } from '@saoma/redis'
import type { Logger } from './log.ts'
import type { OperatorServer } from './operator-server.ts'

/** Waits for Redis during the start of a node: as long as it takes, with back-off, and with log lines. */
export interface Patience {
  /** Receives each error of a connection that is being opened. */
  hear(error: Error): void
  /** Retries a step of the start while it rejects with RedisUnavailable. Rethrows any other error. */
  until<T>(step: () => Promise<T>): Promise<T>
}

/** At most one log line in this time. */
const SAY_MS = 10_000

/**
 * The node waits instead of ending. Otherwise its supervisor would restart it after longer and longer pauses,
 * and it would stay away for minutes after Redis is back.
 *
 * @param onWait  receives each reason to wait, and whether it is time to log it again
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

/**
 * The patience of a node: the internal port tells the reason of the
 * wait, and the log repeats it from time to time.
 */
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

/** Most checks for the node's first message to itself, and the delay between two. */
const LOOKS = 100
const LOOK_MS = 20

/**
 * Waits for the node's first message to itself through Redis, before which it is not ready. This takes some
 * milliseconds, so clients should not notice it.
 */
export const heardItself = async ({ echoAge }: Pick<RedisClients, 'echoAge'>): Promise<void> => {
  for (let look = 0; look < LOOKS && echoAge() === undefined; look++) await delay(LOOK_MS)
}
