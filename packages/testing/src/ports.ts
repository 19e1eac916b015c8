import { randomInt } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import getPort from 'get-port'

/**
 * Below the kernel's range for outgoing connections: such a connection could take the port while a server
 * restarts.
 */
const FIRST_PORT = 15_000
const LAST_PORT = 32_000

/** One file per drawn port. No other process may draw a port between its drawing and its first listener. */
const folder = join(tmpdir(), 'saoma-ports')

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A port belongs to the process that has drawn it, as long as that process runs. */
const take = async (port: number): Promise<boolean> => {
  const file = join(folder, `${port}`)
  try {
    await writeFile(file, `${process.pid}`, { flag: 'wx' })
    return true
  } catch {
    const owner = Number(await readFile(file, 'utf8').catch(() => Number.NaN))
    // The owner has ended, so remove its file. The next draw may take the port.
    if (owner > 0 && !isAlive(owner)) await rm(file, { force: true })
    return false
  }
}

/** A port of 127.0.0.1 on which nobody listens and that no other process has drawn. */
export const freePort = async (): Promise<number> => {
  await mkdir(folder, { recursive: true })
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT)
    if (!(await take(port))) continue
    if ((await getPort({ host: '127.0.0.1', port })) === port) return port
  }
}
