import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * CPU microseconds that all threads of a running process have used. The kernel supplies the figure, so
 * reading it costs the process nothing.
 */
export const cpuOf = async (pid: number): Promise<number> => {
  if (process.platform === 'linux') {
    const folder = `/proc/${pid}/task`
    const threads = await readdir(folder)
    // schedstat counts nanoseconds; /proc/<pid>/stat counts only hundredths of a second.
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

/** CPU microseconds that each process uses during `act`. */
export const costOf = async (pids: readonly number[], act: () => Promise<unknown>): Promise<number[]> => {
  const read = () => Promise.all(pids.map(cpuOf))
  const before = await read()
  await act()
  return (await read()).map((value, i) => value - (before[i] ?? 0))
}
