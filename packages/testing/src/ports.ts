import { randomInt } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import getPort from 'get-port'

/**
 * Below the range from which the kernel takes ports for outgoing connections: those come and go while a
 * server restarts.
 */
const FIRST_PORT = 15_000
const LAST_PORT = 32_000

/**
 * Who has drawn which port, a file each: between its drawing and its first listener others must not draw it,
 * in whatever process.
 */
const folder = join(tmpdir(), 'saoma-ports')

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A port belongs to the process that has drawn it, as long as that one runs. */
const take = async (port: number): Promise<boolean> => {
  const file = join(folder, `${port}`)
  try {
    await writeFile(file, `${process.pid}`, { flag: 'wx' })
    return true
  } catch {
    const owner = Number(await readFile(file, 'utf8').catch(() => Number.NaN))
    // Whoever is written down and gone is forgotten; the next draw may have it.
    if (owner > 0 && !isAlive(owner)) await rm(file, { force: true })
    return false
  }
}

/** A port of 127.0.0.1 that nobody listens on and nobody else has drawn. */
export const freePort = async (): Promise<number> => {
  await mkdir(folder, { recursive: true })
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT)
    if (!(await take(port))) continue
    if ((await getPort({ host: '127.0.0.1', port })) === port) return port
  }
}
