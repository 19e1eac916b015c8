import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from './cleanup.ts'
import type { Line } from './lines.ts'
import { freePort } from './ports.ts'
import { startProcess } from './process.ts'
import { requireProgram } from './programs.ts'
import { type Restartable, startRestartable } from './restartable.ts'

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

/** A real redis-server on the loopback interface. SIGSTOP makes it deaf, SIGCONT brings it back. */
export interface RedisServer extends Restartable {
  readonly url: string
  readonly port: number
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
    forget()
    if (!givenDir) await rm(dir, { recursive: true, force: true })
  }
  const forget = onCleanup(removeDir)

  const launch = (port: number) => {
    const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--logfile', '', '--daemonize', 'no']
    const persistence = ['--save', '', '--appendonly', appendonly ? 'yes' : 'no']
    return startProcess({
      name: 'redis',
      command,
      args: [...settings, ...persistence, ...args],
      ready: ({ text }) => text.includes(READY),
      ...(onLine ? { onLine } : {}),
    })
  }

  const launchSomewhere = async (attempt = 1): Promise<RedisServer> => {
    const port = options.port ?? (await freePort())
    try {
      const server = await startRestartable(() => launch(port), removeDir)
      return Object.assign(server, { url: `redis://127.0.0.1:${port}`, port })
    } catch (error) {
      const taken = error instanceof Error && PORT_TAKEN.test(error.message)
      if (!taken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error
      return launchSomewhere(attempt + 1)
    }
  }
  return launchSomewhere()
}
