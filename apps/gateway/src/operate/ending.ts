import type { Logger } from './log.ts'

/** Takes the node out in order, and then ends the process with this code. */
export type Stop = (why: string, code: number) => Promise<void>

export interface Ending {
  /** What there is to end in order, as soon as there is. */
  stop: Stop | undefined
  /** As soon as there is a log: a rejection that nobody waits for is a line of it, too. */
  writeTo(log: Logger): void
  /** From now on the process ends in so many milliseconds in any case. */
  within(deadlineMs: number): void
  /** A signal to end. The second one, whichever, does not wait. */
  signal(name: string): void
  /**
   * An exception that nobody caught. One is the end, in order; another, or one in the middle of an end, is
   * the end at once.
   */
  surprise(error: unknown): void
}

/**
 * How the process ends, by whatever is the first reason to. Until there is something to end in order, it just
 * ends.
 */
export const createEnding = (exit: (code: number) => void): Ending => {
  let signalled = false
  let stopping = false
  let log: Logger | undefined

  const end = (why: string, code: number): void => {
    if (stopping) return
    stopping = true
    if (!ending.stop) return exit(1)
    ending.stop(why, code).catch((error: unknown) => {
      log?.fatal({ err: error }, 'could not stop in order')
      exit(1)
    })
  }

  const tell = (error: unknown): void => {
    try {
      if (log) log.fatal({ err: error, event: 'uncaughtException' }, 'an exception nobody caught')
      else process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    } catch {
      // It was the log that failed: the end must come all the same.
    }
  }

  const ending: Ending = {
    stop: undefined,
    writeTo: (opened) => {
      log = opened
      process.on('unhandledRejection', (error) =>
        opened.error({ err: error, event: 'unhandledRejection' }, 'a rejection nobody waited for'),
      )
    },
    within: (deadlineMs) => {
      setTimeout(() => {
        log?.fatal({ event: 'deadline' }, 'SAOMA_DRAIN_DEADLINE_MS is over: ending without the rest')
        exit(1)
      }, deadlineMs).unref()
    },
    signal: (name) => {
      if (signalled) return exit(1)
      signalled = true
      end(name, 0)
    },
    surprise: (error) => {
      tell(error)
      if (stopping) return exit(1)
      end('uncaughtException', 1)
    },
  }
  return ending
}
