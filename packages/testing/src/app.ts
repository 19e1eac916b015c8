import { fileURLToPath } from 'node:url'
import type { Line } from './lines.ts'
import { type Process, plainEnv, startProcess } from './process.ts'

export interface AppOptions {
  /** Folder below apps/. */
  app: 'gateway' | 'wechat-simulator'
  name: string
  env: Record<string, string>
  /** Start it again whenever its sources change. @default false */
  watch?: boolean
  onLine?: (line: Line) => void
}

/** A program of this project, listening. The ports are undefined when its log line does not name them. */
export interface App {
  process: Process
  port: number
  internalPort: number
}

const LISTEN_TIMEOUT_MS = 20_000
/** Longer than a node takes to send its browsers away. */
const STOP_TIMEOUT_MS = 20_000
/** Node's default doubles the memory of a waiting browser (21 KB against 12.5 KB) and gives nothing for it here. */
const NODE_FLAGS = ['--max-semi-space-size=2']

/** Starts a program of this project from its sources. Resolves when it says that it listens. */
export const startApp = async ({ app, name, env, watch = false, onLine }: AppOptions): Promise<App> => {
  const main = fileURLToPath(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url))
  const program = await startProcess({
    name,
    command: process.execPath,
    args: [...NODE_FLAGS, ...(watch ? ['--watch', '--watch-preserve-output'] : []), main],
    env: { ...plainEnv(), ...env },
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(onLine ? { onLine } : {}),
  })
  const { json } = await program.nextLine((line) => line.json?.event === 'listening', LISTEN_TIMEOUT_MS)
  return { process: program, port: Number(json?.port), internalPort: Number(json?.internalPort) }
}
