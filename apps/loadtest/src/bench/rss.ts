import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
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
