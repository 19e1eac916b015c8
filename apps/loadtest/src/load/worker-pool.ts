import { execFile } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { nodeFlags, type Process, startProcess } from '@saoma/testing'
import type { Meeting } from './rendezvous.ts'
import { UsageError } from './usage-error.ts'

/** The worker processes of this machine. */
export interface Crew {
  /** Rejects when a worker ends early; never resolves. */
  readonly broken: Promise<never>
  stop(): Promise<void>
}

export interface CrewOptions {
  coordinator: string
  machine: string
  workers: number
  /** Called with whatever a worker prints. Workers should print nothing. */
  say: (line: string) => void
}

/** Open files of a process besides its clients' sockets. */
const OTHER_FILES = 300
/** Connections from one address to one port. Linux has 28,232 by its default range. */
const PORTS_PER_ADDRESS = 28_000

/** `.ts` in the repository, `.js` in the package `saoma`. */
const extension = extname(fileURLToPath(import.meta.url))

/** Throws UsageError when this machine's limits are too low for the load of one worker. */
export const assertRoom = async (sockets: number, workers: number, ownAddresses: boolean): Promise<void> => {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', 'ulimit -n'])
  const files = Number(stdout) || Number.POSITIVE_INFINITY
  const each = Math.ceil(sockets / workers)
  const most = Math.min(files - OTHER_FILES, ownAddresses ? PORTS_PER_ADDRESS : PORTS_PER_ADDRESS / workers)
  if (each <= most) return
  const enough = Math.ceil(sockets / most)
  throw new UsageError(
    files - OTHER_FILES < each
      ? `${sockets} sockets in ${workers} worker(s) need ${each + OTHER_FILES} open files in each, and this shell allows ${files}: take --workers ${enough}, or raise it with "ulimit -n ${each + OTHER_FILES}"`
      : `${sockets} sockets from one address to one port do not fit into its ${PORTS_PER_ADDRESS} ports: take more machines (--machines)`,
  )
}

export const startCrew = async (meeting: Meeting, options: CrewOptions): Promise<Crew> => {
  const { coordinator, machine, workers, say } = options
  let stopping = false
  const { promise: broken, reject } = Promise.withResolvers<never>()
  // The caller may attach its handler later.
  broken.catch(() => {})
  const all: Process[] = await Promise.all(
    Array.from({ length: workers }, async (_, i) => {
      const args = {
        coordinator,
        machine,
        place: meeting.place,
        worker: `${machine}-${i}`,
        workers: `${workers}`,
      }
      const worker = await startProcess({
        name: `worker ${i}`,
        command: process.execPath,
        args: [
          ...nodeFlags,
          fileURLToPath(new URL(`./worker${extension}`, import.meta.url)),
          ...Object.entries(args).flatMap(([name, value]) => [`--${name}`, value]),
        ],
        onLine: ({ text }) => say(`worker ${i}: ${text}`),
      })
      void worker.exited.then(({ code, signal }) => {
        if (code !== 0 && !stopping)
          reject(new Error(`worker ${i} ended unexpectedly (${signal ?? `exit code ${code}`})`))
      })
      return worker
    }),
  )
  return {
    broken,
    stop: async () => {
      stopping = true
      // A worker has nothing to clean up.
      await Promise.all(all.map((worker) => worker.kill('SIGKILL')))
    },
  }
}
