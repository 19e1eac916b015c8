import { fileURLToPath } from 'node:url'
import type { Line } from './lines.ts'
import { freePort } from './ports.ts'
import { plainEnv, startProcess } from './process.ts'
import { type Restartable, startRestartable } from './restartable.ts'

export interface AppOptions {
  /** Folder below apps/. */
  app: 'gateway' | 'wechat-simulator' | 'shop' | 'nginx-metrics'
  name: string
  /**
   * Its settings, on top of `plainEnv`. Ports that are 0 or absent are chosen once and kept over restarts.
   */
  env: Record<string, string>
  /** Start it again whenever its sources change. @default false */
  watch?: boolean
  /** Told of every line of its log. */
  onLine?: (line: Line) => void
}

/** A program of this project, listening. */
export interface App extends Restartable {
  readonly port: number
  /** NaN for a program that has none. */
  readonly internalPort: number
}

/** Longer than a node waits for a Redis that is not there. */
const LISTEN_TIMEOUT_MS = 45_000
/** Longer than a node takes to send its browsers away. */
const STOP_TIMEOUT_MS = 20_000
/**
 * For a process full of small things that wait: little room for what is young, and a collection when what is
 * old has grown by 15 %, where Node would let the garbage of ten thousand handshakes lie. It costs about 10
 * us of a handshake.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=2', '--heap-growing-percent=15']

const isListening = (line: Line): boolean => line.json?.event === 'listening'

/** Starts a program of this project from its sources. Resolves when it says that it listens. */
export const startApp = async ({ app, name, env, watch = false, onLine }: AppOptions): Promise<App> => {
  const main = fileURLToPath(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url))
  const ports: Record<string, string> = {}
  // Under --watch a restart happens without us, so 0 would be another port each time.
  if (watch) for (const name of ['PORT', 'INTERNAL_PORT']) ports[name] = env[name] ?? `${await freePort()}`
  const launch = () =>
    startProcess({
      name,
      command: process.execPath,
      args: [...nodeFlags, ...(watch ? ['--watch', '--watch-preserve-output'] : []), main],
      env: { ...plainEnv(), PORT: '0', INTERNAL_PORT: '0', ...env, ...ports },
      ready: isListening,
      readyTimeoutMs: LISTEN_TIMEOUT_MS,
      stopTimeoutMs: STOP_TIMEOUT_MS,
      ...(onLine ? { onLine } : {}),
    })
  const program = await startRestartable(launch)
  const said = program.lines.find(isListening)?.json
  const [port, internalPort] = [Number(said?.port), Number(said?.internalPort)]
  ports.PORT = `${port}`
  if (internalPort > 0) ports.INTERNAL_PORT = `${internalPort}`
  return Object.assign(program, { port, internalPort })
}
