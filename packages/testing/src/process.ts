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
  /** Name in messages. */
  name: string
  /** Called for every line of output. */
  onLine?: (line: Line) => void
  /**
   * Recognises the line that reports that the process is ready: `startProcess` then resolves. If the line
   * does not come, it kills the process and rejects.
   * @default none
   */
  ready?: (line: Line) => boolean
  /** Milliseconds to wait for that line. @default 10000 */
  readyTimeoutMs?: number
  /** Milliseconds between SIGTERM and SIGKILL in `stop`. @default 10000 */
  stopTimeoutMs?: number
  /**
   * The process forks short-lived children and does not wait for them when it ends. They are killed, which is
   * no error.
   * @default false
   */
  forks?: boolean
}

/** How a process ended: either `code` or `signal` is null. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A child process in its own process group. It ends with this process, however that ends. */
export interface Process {
  readonly name: string
  readonly pid: number
  /** Output so far, standard output and error together. */
  readonly lines: readonly Line[]
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<Exit>
  /**
   * The first matching line, past or future, that no earlier call has returned. Rejects when the process ends
   * first, or after `timeoutMs` (20 s), with the last output in the message.
   */
  nextLine(matches: (line: Line) => boolean, timeoutMs?: number): Promise<Line>
  /**
   * Sends a signal. If the signal ends a process (all but SIGSTOP, SIGCONT, SIGHUP, SIGUSR1/2), it resolves
   * when the process has ended.
   */
  kill(signal?: NodeJS.Signals): Promise<void>
  /**
   * Sends SIGTERM. If the process does not end in time, it sends SIGKILL and rejects. Resolves at once when
   * the process has ended already.
   */
  stop(): Promise<void>
}

/** Node's compile cache for our sources. It halves the start time of further processes. */
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/saoma/node', import.meta.url))
const LINE_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 10_000
const survivable: readonly NodeJS.Signals[] = ['SIGSTOP', 'SIGCONT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']

/**
 * The few environment variables that programs need. With the rest of our environment, runs would differ
 * between machines.
 */
export const plainEnv = (): Record<string, string | undefined> => {
  const { PATH, HOME, LANG, TZ, TMPDIR } = process.env
  return { PATH, HOME, LANG, TZ, TMPDIR, NODE_COMPILE_CACHE: compileCache }
}

/** Starts a program and registers its cleanup. Rejects when it cannot be started or does not become ready. */
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
      // Kill what the leader has left behind. After our own SIGKILL the leader could not do that.
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
      child.kill('SIGCONT') // If a test has suspended the process, it sees SIGTERM only after SIGCONT.
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
