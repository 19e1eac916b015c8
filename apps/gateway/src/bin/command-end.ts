import { UnreadFile } from './given.ts'

/** What a command line asks for, or what is wrong with it. */
type Asked = { kind: 'help' } | { kind: 'wrong'; reason: string } | { kind: string }

export const FAILED = 1
export const WRONG_USAGE = 2
/** As shells have it for SIGINT. */
export const INTERRUPTED = 130

/**
 * Ends a command as all of them end: help goes to standard output, everything else that is said of a fault to
 * standard error. The exit code is that of `work`, 1 if it rejects, and 2 for wrong usage or a file of
 * settings that cannot be read.
 *
 * @param work  does what was asked for, and resolves with the exit code
 */
export const endCommand = async (asked: Asked, usage: string, work: () => Promise<number>): Promise<void> => {
  if (asked.kind === 'help') {
    process.stdout.write(usage)
    return
  }
  if (asked.kind === 'wrong' && 'reason' in asked) {
    process.stderr.write(`${asked.reason}\n${usage}`)
    process.exitCode = WRONG_USAGE
    return
  }
  try {
    process.exitCode = await work()
  } catch (error) {
    // A reader such as `head` has closed the pipe: the rest need not be written.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = error instanceof UnreadFile ? WRONG_USAGE : FAILED
  }
}

/**
 * For a command that prints much: if a reader such as `head` closes the pipe, the rest need not be written.
 */
export const endAtClosedPipe = (): void => {
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : FAILED))
}
