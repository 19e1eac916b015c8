import type { Logger } from './log.ts'

/** Drains the node, and then ends the process with this exit code. */
export type Stop = (why: string, code: number) => Promise<void>

export interface Ending {
  /** The orderly stop, set once there is something to stop. */
  stop: Stop | undefined
  /** Sets the log once there is one. From then on unhandled rejections are logged too. */
  writeTo(log: Logger): void
  /** Sets a deadline: the process ends after so many milliseconds in any case. */
  within(deadlineMs: number): void
  /** Handles a signal to end. The second signal, whichever it is, ends the process at once. */
  signal(name: string): void
  /** Stops the node in order, as the first signal does. Again it does nothing. */
  leave(why: string): void
  /**
   * Handles an uncaught exception. The first one stops the node in order. Another one, or one during a stop,
   * ends the process at once.
   */
  surprise(error: unknown): void
}

/**
 * Ends the process for whichever reason comes first. Before there is
 * anything to stop in order, the process exits at once.
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
      log?.fatal({ err: error }, 'the orderly stop failed')
      exit(1)
    })
  }

  const tell = (error: unknown): void => {
    try {
      if (log) log.fatal({ err: error, event: 'uncaughtException' }, 'uncaught exception')
      else process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    } catch {
      // The log itself failed. The process must end all the same.
    }
  }

  const ending: Ending = {
    stop: undefined,
    writeTo: (opened) => {
      log = opened
      process.on('unhandledRejection', (error) =>
        opened.error({ err: error, event: 'unhandledRejection' }, 'unhandled rejection'),
      )
    },
    within: (deadlineMs) => {
      setTimeout(() => {
        log?.fatal({ event: 'deadline' }, 'SAOMA_DRAIN_DEADLINE_MS is over: the process ends at once')
        exit(1)
      }, deadlineMs).unref()
    },
    signal: (name) => {
      if (signalled) return exit(1)
      signalled = true
      end(name, 0)
    },
    leave: (why) => end(why, 0),
    surprise: (error) => {
      tell(error)
      if (stopping) return exit(1)
      end('uncaughtException', 1)
    },
  }
  return ending
}
