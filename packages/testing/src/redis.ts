import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from './cleanup.ts'
import type { Line } from './lines.ts'
import { freePort } from './ports.ts'
import { type Exit, type Process, startProcess } from './process.ts'
import { requireProgram } from './programs.ts'

export interface RedisServerOptions {
  /** More settings, as on the command line: `['--maxmemory', '2mb']`. */
  args?: readonly string[]
  /** @default a free one */
  port?: number
  /** Folder of its data. @default a new temporary one, removed by `stop` */
  dir?: string
  /** Keep an append-only file, so that `restart` finds the data again. @default false */
  appendonly?: boolean
  /** Told of every line of its log. */
  onLine?: (line: Line) => void
}

/** A real redis-server on the loopback interface. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Of the present process; `restart` changes it. */
  readonly pid: number
  /** Resolves when the present process has ended. */
  readonly exited: Promise<Exit>
  /** See `Process.nextLine`. */
  nextLine(matches: (line: Line) => boolean, timeoutMs?: number): Promise<Line>
  /** SIGKILL unless told otherwise. SIGSTOP makes it deaf, SIGCONT brings it back. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Ends it if it runs, and starts it again on the same port and data; resolves when it accepts connections. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Draws of a port before giving up: somebody else may take a free one before Redis does. */
const PORT_ATTEMPTS = 5
const READY = 'Ready to accept connections'
const PORT_TAKEN = /Address already in use/

export const startRedis = async (options: RedisServerOptions = {}): Promise<RedisServer> => {
  const { args = [], dir: givenDir, appendonly = false, onLine } = options
  const command = requireProgram('redis')
  const dir = givenDir ?? (await mkdtemp(join(tmpdir(), 'saoma-redis-')))
  const removeDir = async () => {
    if (!givenDir) await rm(dir, { recursive: true, force: true })
  }
  const forget = onCleanup(removeDir)

  const launch = async (port: number): Promise<Process> => {
    const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--logfile', '', '--daemonize', 'no']
    const persistence = ['--save', '', '--appendonly', appendonly ? 'yes' : 'no']
    const server = await startProcess({
      name: `redis:${port}`,
      command,
      args: [...settings, ...persistence, ...args],
      ...(onLine ? { onLine } : {}),
    })
    await server.nextLine(({ text }) => text.includes(READY))
    return server
  }

  const launchSomewhere = async (attempt = 1): Promise<[Process, number]> => {
    const port = options.port ?? (await freePort())
    try {
      return [await launch(port), port]
    } catch (error) {
      const taken = error instanceof Error && PORT_TAKEN.test(error.message)
      if (!taken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error
      return launchSomewhere(attempt + 1)
    }
  }

  const [first, port] = await launchSomewhere()
  let server = first

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid
    },
    get exited() {
      return server.exited
    },
    nextLine: (matches, timeoutMs) => server.nextLine(matches, timeoutMs),
    kill: (signal) => server.kill(signal),
    restart: async () => {
      await server.stop()
      server = await launch(port)
    },
    stop: async () => {
      await server.stop()
      forget()
      await removeDir()
    },
  }
}
