import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The `.saoma` folder of a local cluster. Only one cluster at a time can use it. */
export interface Folder {
  /** Data of Redis. */
  redis: string
  logs: string
  /** Data of the shop. */
  shop: string
  /** Pictures of pooled codes. The folder exists once it is needed. */
  codes: string
  /** The settings of the nodes, for tools. The file exists while the cluster runs. */
  settings: string
  /** Encrypts the signing keys. It is generated once and kept, so that logins survive a restart. */
  secret: string
  /** The shop's API key. Users may try it for anything else. */
  apiKey: string
  apiKeyFile: string
  /** The keys that the nodes take: the shop's, and those that the user adds. */
  apiKeys: string
  /** The nodes authenticate to the shop's hook with this secret. */
  hookSecret: string
  /** Opens a new log file of that name. */
  log(name: string): WriteStream
  release(): Promise<void>
}

const SECRET_BYTES = 32

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code

/** Whether a command line is that of a local cluster: of the repository, or of the package `saoma`. */
export const isClusterCommand = (args: string): boolean => /\bapps\/local\/src\/main\.[jt]s(\s|$)/.test(args)

/** Whether this process is a local cluster. After a crash the recorded pid may belong to another program. */
const isCluster = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
  const { stdout, status } = spawnSync('ps', ['-ww', '-p', `${pid}`, '-o', 'args='], { encoding: 'utf8' })
  return status === null || isClusterCommand(stdout)
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

/** Reads a secret, which it generates at first use. */
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

/**
 * Locks the folder and creates whatever is missing in it. Throws an error for the user if a cluster holds it.
 */
export const takeFolder = async (path: string): Promise<Folder> => {
  const [redis, logs, shop] = [join(path, 'redis'), join(path, 'logs'), join(path, 'shop')]
  for (const folder of [redis, logs, shop]) await mkdir(folder, { recursive: true, mode: 0o700 })
  // It holds secrets, and may be in somebody's own project.
  await writeFile(join(path, '.gitignore'), '*\n')
  const lockFile = join(path, 'lock')
  await lock(lockFile)
  const apiKeyFile = join(path, 'api-key')
  const settings = join(path, 'cluster.env')
  // A killed cluster leaves it behind.
  await rm(settings, { force: true })
  return {
    redis,
    logs,
    shop,
    codes: join(path, 'codes'),
    settings,
    secret: await readSecret(join(path, 'secret')),
    apiKey: await readSecret(apiKeyFile, 'saoma_local_'),
    apiKeyFile,
    apiKeys: join(path, 'api-keys'),
    hookSecret: await readSecret(join(path, 'hook-secret')),
    log: (name) => createWriteStream(join(logs, `${name}.log`)),
    release: async () => {
      for (const file of [settings, lockFile]) await rm(file, { force: true })
    },
  }
}
