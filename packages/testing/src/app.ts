import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Line } from './lines.ts'
import { nodeFlags } from './node-flags.ts'
import { freePort } from './ports.ts'
import { plainEnv, startProcess } from './process.ts'
import { type Restartable, startRestartable } from './restartable.ts'

export interface AppOptions {
  /** Folder below apps/. */
  app: 'gateway' | 'wechat-simulator' | 'shop' | 'nginx-metrics'
  name: string
  /**
   * Its settings, in addition to `plainEnv`. Ports that are 0 or missing are chosen once and kept over
   * restarts.
   */
  env: Record<string, string>
  /** Restarts whenever its sources change. @default false */
  watch?: boolean
  /** Called for every line of its log. */
  onLine?: (line: Line) => void
}

/** A running program of this project that listens. */
export interface App extends Restartable {
  readonly port: number
  /** NaN for a program without an internal port. */
  readonly internalPort: number
}

/** Longer than a node waits for a missing Redis. */
const LISTEN_TIMEOUT_MS = 45_000
/** Longer than a node needs to drain its browsers. */
const STOP_TIMEOUT_MS = 20_000
/** `.ts` in the repository, `.js` in the package `saoma`, which has the same folders. */
const extension = extname(fileURLToPath(import.meta.url))

const isListening = (line: Line): boolean => line.json?.event === 'listening'

/** Starts a program of this project. Resolves when it reports that it listens. */
export const startApp = async ({ app, name, env, watch = false, onLine }: AppOptions): Promise<App> => {
  const main = fileURLToPath(new URL(`../../../apps/${app}/src/main${extension}`, import.meta.url))
  const ports: Record<string, string> = {}
  // Under --watch Node restarts the program by itself, and 0 would give another port each time.
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
