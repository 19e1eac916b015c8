import { type Connection, every, RedisUnavailable } from '@saoma/redis'
import type { Logger } from './log.ts'

/** Checks whether a Redis that was unavailable at the start is suitable. */
export interface Examination {
  /** Whether it was examined and is suitable. */
  isPassed(): boolean
  /** Whether it was examined and is not suitable. */
  isFailed(): boolean
  close(): void
}

/** Interval of the retries: an operator can correct the settings of Redis without a reconnect. */
const EVERY_MS = 5_000

/** Examines Redis when the connection is ready, and retries until it is suitable. */
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
      log.info({ event: 'redis', client: 'channels' }, 'the Redis of the channels is available and suitable')
    } catch (error) {
      // It is unavailable again, which is no new result.
      if (error instanceof RedisUnavailable) return
      state = 'failed'
      const message = String((error as Error).message)
      if (message !== said)
        log.error(
          { err: error, event: 'redis', client: 'channels' },
          'the Redis of the channels is not suitable: channels take no writes',
        )
      said = message
    } finally {
      looking = false
    }
  }
  const onReady = () => void look()
  connection.on('ready', onReady)
  const stop = every(EVERY_MS, onReady)
  const close = () => {
    stop()
    connection.off('ready', onReady)
  }

  return { isPassed: () => state === 'passed', isFailed: () => state === 'failed', close }
}
