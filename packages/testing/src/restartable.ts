import type { Process } from './process.ts'

/** A process that can be restarted: `pid`, `exited` and `lines` are those of the present process. */
export interface Restartable extends Process {
  /** Ends it if it runs, and starts it again with the same settings. Resolves when it is ready. */
  restart(): Promise<void>
}

/**
 * @param launch  starts the process and resolves when it is ready
 * @param afterStop  runs at the end of `stop`, but not of `restart`
 */
export const startRestartable = async (
  launch: () => Promise<Process>,
  afterStop: () => Promise<void> = async () => {},
): Promise<Restartable> => {
  let present = await launch()
  return {
    name: present.name,
    get pid() {
      return present.pid
    },
    get exited() {
      return present.exited
    },
    get lines() {
      return present.lines
    },
    nextLine: (matches, timeoutMs) => present.nextLine(matches, timeoutMs),
    kill: (signal) => present.kill(signal),
    restart: async () => {
      await present.stop()
      present = await launch()
    },
    stop: async () => {
      await present.stop()
      await afterStop()
    },
  }
}
