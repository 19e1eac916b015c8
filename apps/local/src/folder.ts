import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** The `.saoma` folder of a local cluster. One cluster at a time holds it. */
export interface Folder {
  /** Data of Redis. */
  redis: string
  logs: string
  /** Data of the shop. */
  shop: string
  /** Pictures of codes made ahead; there when it is needed. */
  codes: string
  /** What tools have to know of a cluster whose codes are WeChat's; there as long as one runs. */
  toolSettings: string
  /** Encrypts the signing keys; made once and kept, so that logins survive a restart. */
  secret: string
  /** The shop's key, which is good for everything else that a person wants to try with one. */
  apiKey: string
  apiKeyFile: string
  /** With which the nodes ask the shop's hook. */
  hookSecret: string
  /** A new log file of that name. */
  log(name: string): WriteStream
  release(): Promise<void>
}

const SECRET_BYTES = 32

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code

/** Whether that process is a local cluster. A number left behind by a crash may belong to anybody by now. */
const isCluster = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
  const { stdout, status } = spawnSync('ps', ['-p', `${pid}`, '-o', 'args='], { encoding: 'utf8' })
  return status === null || stdout.includes('apps/local')
}

const lock = async (file: string): Promise<void> => {
  try {
    const handle = await open(file, 'wx')
    await handle.writeFile(`${process.pid}\n`)
    await handle.close()
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    const holder = Number(await readFile(file, 'utf8'))
    if (holder > 0 && isCluster(holder))
      throw new Error(
        `A cluster is already running in this folder (process ${holder}). Stop it with Ctrl-C or: kill ${holder}`,
      )
    await rm(file)
    await lock(file)
  }
}

/** Made once and kept. */
const readSecret = async (file: string, prefix = ''): Promise<string> => {
  try {
    const handle = await open(file, 'wx', 0o600)
    await handle.writeFile(`${prefix}${randomBytes(SECRET_BYTES).toString('base64url')}\n`)
    await handle.close()
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
  return (await readFile(file, 'utf8')).trim()
}

/** Takes the folder, making what is missing in it. Throws an error for the person when a cluster holds it. */
export const takeFolder = async (path: string): Promise<Folder> => {
  const [redis, logs, shop] = [join(path, 'redis'), join(path, 'logs'), join(path, 'shop')]
  for (const folder of [redis, logs, shop]) await mkdir(folder, { recursive: true, mode: 0o700 })
  const lockFile = join(path, 'lock')
  await lock(lockFile)
  const apiKeyFile = join(path, 'api-key')
  const toolSettings = join(path, 'wechat.env')
  return {
    redis,
    logs,
    shop,
    codes: join(path, 'codes'),
    toolSettings,
    secret: await readSecret(join(path, 'secret')),
    apiKey: await readSecret(apiKeyFile, 'saoma_local_'),
    apiKeyFile,
    hookSecret: await readSecret(join(path, 'hook-secret')),
    log: (name) => createWriteStream(join(logs, `${name}.log`)),
    release: async () => {
      for (const file of [toolSettings, lockFile]) await rm(file, { force: true })
    },
  }
}
