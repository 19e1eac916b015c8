import { type Connection, RedisUnavailable } from '@saoma/redis'
import type { Logger } from './log.ts'

/** Whether a Redis that was away at the start is one to work with. */
export interface Examination {
  /** Whether it was looked at and is. */
  isPassed(): boolean
  /** Whether it was looked at and is not. */
  isFailed(): boolean
  close(): void
}

/** Between two looks: whoever puts it right does so without a lost connection. */
const EVERY_MS = 5_000

/** Looks when the connection is there, and again until all is well. */
export const createExamination = (connection: Connection, examine: () => Promise<void>, log: Logger): Examination => {
  let state: 'unknown' | 'passed' | 'failed' = 'unknown'
  let said = ''
  let looking = false

  const look = async (): Promise<void> => {
    if (looking || connection.status !== 'ready') return
    looking = true
    try {
      await examine()
      close()
      state = 'passed'
      log.info({ event: 'redis', client: 'channels' }, 'the Redis of the channels is there and fit')
    } catch (error) {
      // Away again, it shows nothing new.
      if (error instanceof RedisUnavailable) return
      state = 'failed'
      const message = String((error as Error).message)
      if (message !== said)
        log.error({ err: error, event: 'redis', client: 'channels' }, 'the Redis of the channels is not fit: no writes')
      said = message
    } finally {
      looking = false
    }
  }
  const onReady = () => void look()
  connection.on('ready', onReady)
  const timer = setInterval(onReady, EVERY_MS).unref()
  const close = () => {
    clearInterval(timer)
    connection.off('ready', onReady)
  }

  return { isPassed: () => state === 'passed', isFailed: () => state === 'failed', close }
}
