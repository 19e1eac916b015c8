import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * CPU time in microseconds that a running process has used, all threads, read from outside so that the
 * reading costs it nothing.
 */
export const cpuOf = async (pid: number): Promise<number> => {
  if (process.platform === 'linux') {
    const folder = `/proc/${pid}/task`
    const threads = await readdir(folder)
    // In nanoseconds; /proc/<pid>/stat counts in hundredths of a second.
    const times = await Promise.all(threads.map((thread) => readFile(`${folder}/${thread}/schedstat`, 'utf8')))
    return times.reduce((total, text) => total + Number(text.split(' ')[0]) / 1_000, 0)
  }
  // [hours:]minutes:seconds.hundredths
  const { stdout } = await run('ps', ['-o', 'time=', '-p', `${pid}`])
  return (
    stdout
      .trim()
      .split(':')
      .reduce((total, part) => total * 60 + Number(part), 0) * 1e6
  )
}

/** What happens during `act` costs each of the processes, in microseconds. */
export const costOf = async (pids: readonly number[], act: () => Promise<unknown>): Promise<number[]> => {
  const read = () => Promise.all(pids.map(cpuOf))
  const before = await read()
  await act()
  return (await read()).map((value, i) => value - (before[i] ?? 0))
}
