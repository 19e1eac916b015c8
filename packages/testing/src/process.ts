import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onCleanup } from './cleanup.ts'
import { guardGroup, releaseGroup, signalGroup } from './groups.ts'
import { createLines, type Line } from './lines.ts'

export interface ProcessOptions {
  command: string
  args?: readonly string[]
  /** The whole environment of the process; see `plainEnv`. */
  env?: Record<string, string | undefined>
  cwd?: string
  /** Shown in messages. */
  name: string
  /** Told of every line of output. */
  onLine?: (line: Line) => void
  /**
   * The line that says it is up: `startProcess` resolves then, and kills it and rejects when the line does
   * not come.
   * @default none
   */
  ready?: (line: Line) => boolean
  /** Milliseconds to wait for that line. @default 10000 */
  readyTimeoutMs?: number
  /** Milliseconds between SIGTERM and SIGKILL in `stop`. @default 10000 */
  stopTimeoutMs?: number
  /**
   * It forks itself for short works and does not wait for those when it ends: they are ended without an
   * error.
   * @default false
   */
  forks?: boolean
}

/** How a process ended: one of the two is null. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A child process in a group of its own, which ends with us however we end. */
export interface Process {
  readonly name: string
  readonly pid: number
  /** Output so far, standard output and error together. */
  readonly lines: readonly Line[]
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<Exit>
  /**
   * The first line, past or future, that matches and that no earlier call was given. Rejects when the process
   * ends first or after `timeoutMs` (20 s), with the last output in the message.
   */
  nextLine(matches: (line: Line) => boolean, timeoutMs?: number): Promise<Line>
  /**
   * Sends a signal; for one that ends a process (all but SIGSTOP, SIGCONT, SIGHUP, SIGUSR1/2) resolves when
   * it has ended.
   */
  kill(signal?: NodeJS.Signals): Promise<void>
  /**
   * SIGTERM, and if that was not enough in time SIGKILL and a rejection. Resolves at once when it has ended
   * already.
   */
  stop(): Promise<void>
}

/**
 * What Node made of our sources, so that the next of many processes need not: half of the work of a start.
 */
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/saoma/node', import.meta.url))
const LINE_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 10_000
const survivable: readonly NodeJS.Signals[] = ['SIGSTOP', 'SIGCONT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']

/**
 * The few variables that programs need of the machine. The rest of our own environment would make runs
 * differ.
 */
export const plainEnv = (): Record<string, string | undefined> => {
  const { PATH, HOME, LANG, TZ, TMPDIR } = process.env
  return { PATH, HOME, LANG, TZ, TMPDIR, NODE_COMPILE_CACHE: compileCache }
}

/** Starts a program and registers its end. Rejects when it cannot be started or does not get ready. */
export const startProcess = async (options: ProcessOptions): Promise<Process> => {
  const { command, args = [], env = plainEnv(), cwd, name, onLine, ready, readyTimeoutMs } = options
  const { stopTimeoutMs = STOP_TIMEOUT_MS, forks = false } = options
  const child = spawn(command, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error(`${name} has no process id`)
  guardGroup(pid)

  const lines = createLines()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      for (const line of lines.push(chunk)) onLine?.(line)
    })
  }

  const gone = new AbortController()
  let forced = false
  let orphaned = false
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (_, signal) => {
      // Whatever the leader left behind dies with it. After our own SIGKILL it had no chance to see to that
      // itself.
      orphaned = signalGroup(pid, 'SIGKILL') && !forks && !forced && signal !== 'SIGKILL'
      releaseGroup(pid)
    })
    child.once('close', (code, signal) => {
      gone.abort(new Error(`${name} ended (${signal ?? `exit code ${code}`}):\n${lines.tail()}`))
      resolve({ code, signal })
    })
  })

  const send = async (signal: NodeJS.Signals) => {
    if (gone.signal.aborted) return
    forced ||= signal === 'SIGKILL'
    child.kill(signal)
    if (!survivable.includes(signal)) await exited
  }

  const stop = async () => {
    forget()
    if (!gone.signal.aborted) {
      const timer = setTimeout(() => void send('SIGKILL'), stopTimeoutMs)
      child.kill('SIGTERM')
      child.kill('SIGCONT') // A process that a test has stopped sees SIGTERM only after this.
      await exited
      clearTimeout(timer)
      if (forced) throw new Error(`${name} did not end within ${stopTimeoutMs} ms of SIGTERM:\n${lines.tail()}`)
    }
    if (!orphaned) return
    orphaned = false
    throw new Error(`${name} ended and left processes of its own running`)
  }
  const forget = onCleanup(stop)

  const started: Process = {
    name,
    pid,
    lines: lines.all,
    exited,
    nextLine: async (matches, timeoutMs = LINE_TIMEOUT_MS) => {
      const given = new AbortController()
      const giveUp = (error: Error) => given.abort(error)
      const onGone = () => giveUp(gone.signal.reason)
      const timer = setTimeout(
        () => giveUp(new Error(`${name} did not print the line within ${timeoutMs} ms:\n${lines.tail()}`)),
        timeoutMs,
      )
      if (gone.signal.aborted) onGone()
      gone.signal.addEventListener('abort', onGone)
      try {
        return await lines.next(matches, given.signal)
      } finally {
        clearTimeout(timer)
        gone.signal.removeEventListener('abort', onGone)
      }
    },
    kill: (signal = 'SIGKILL') => send(signal),
    stop,
  }
  if (!ready) return started
  try {
    await started.nextLine(ready, readyTimeoutMs)
  } catch (error) {
    await started.kill()
    forget()
    throw error
  }
  return started
}
