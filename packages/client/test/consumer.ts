import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'
import { root } from './build.ts'

const PACK_TIMEOUT_MS = 60_000
/** An installation from the registry, on a machine that is busy elsewhere. */
const INSTALL_TIMEOUT_MS = 180_000
const RUN_TIMEOUT_MS = 60_000

/** A folder of somebody who has installed the packed files, and nothing of this repository. */
export interface Consumer {
  folder: string
  write(file: string, text: string): Promise<void>
  /** Runs a Node program there. Resolves with what it printed; rejects with it, too. */
  run(node: string, ...args: string[]): Promise<string>
}

const temporary = async (name: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), `saoma-${name}-`))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Variables by which npm and Jest tell of this repository. Others configure npm and its connections. */
const OURS = /^(npm_package|npm_lifecycle|JEST_|NODE_(ENV|OPTIONS|PATH)$)/

const plain = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)))

const exec = async (command: string, args: readonly string[], cwd: string, timeout: number): Promise<string> => {
  const options = { cwd, timeout, env: plain(), maxBuffer: 16 * 1024 * 1024 }
  const { stdout } = await promisify(execFile)(command, args, options).catch((error: Error & { stdout?: string }) => {
    throw new Error(`${error.message}\n${error.stdout ?? ''}`, { cause: error })
  })
  return stdout
}

/** Builds and packs the packages. Resolves with the paths of the packed files. */
export const pack = async (): Promise<string[]> => {
  const folder = await temporary('packed')
  await exec(process.execPath, [join(root, 'scripts/packages.ts'), folder], root, PACK_TIMEOUT_MS)
  return (await readdir(folder)).filter((name) => name.endsWith('.tgz')).map((name) => join(folder, name))
}

/** @param besides  what npm installs beside the packed files, such as `vite@8` */
export const createConsumer = async (packed: readonly string[], besides: readonly string[] = []): Promise<Consumer> => {
  const folder = await temporary('consumer')
  const write = (file: string, text: string) => writeFile(join(folder, file), text)
  await write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  await exec('npm', ['install', ...flags, ...packed, ...besides], folder, INSTALL_TIMEOUT_MS)
  return { folder, write, run: (node, ...args) => exec(node, args, folder, RUN_TIMEOUT_MS) }
}
