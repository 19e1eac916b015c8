import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Resident memory of a process in KB. */
export const rssOf = async (pid: number): Promise<number> => {
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
  }
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', `${pid}`])
  return Number(stdout)
}

const READ_EVERY_MS = 1_000
/** V8 collects the garbage of an idle process after about eight seconds, more than once. */
const QUIET_READS = 12
const MOST_READS = 40
/** A smaller decrease, in KB, is noise. */
const NOISE_KB = 256

/** Resident memory in KB once it has stopped falling: the lowest of the last reads, after at most 40 s. */
export const settledRss = async (pid: number): Promise<number> => {
  let lowest = await rssOf(pid)
  for (let reads = 1, quiet = 1; quiet < QUIET_READS && reads < MOST_READS; reads++) {
    await delay(READ_EVERY_MS)
    const now = await rssOf(pid)
    quiet = now < lowest - NOISE_KB ? 1 : quiet + 1
    lowest = Math.min(lowest, now)
  }
  return lowest
}
