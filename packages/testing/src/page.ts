import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from './cleanup.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const web = join(root, 'apps/web')
const BUILD_TIMEOUT_MS = 120_000

/** Folder with the built pages, for SAOMA_WEB_ROOT. */
export const pageFolder: string = join(web, 'dist')

/** The sources of the pages. */
export const pageSources: readonly string[] = [
  join(web, 'src'),
  join(web, 'public'),
  join(root, 'packages/client/src'),
  join(root, 'packages/protocol/src'),
]

/** Time of the latest change below a folder, in milliseconds since 1970; 0 when the folder is missing. */
const changedAt = async (folder: string): Promise<number> => {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs))
  return Math.max(0, ...times)
}

const isStale = async (): Promise<boolean> => {
  // The package `saoma` has the built pages without their sources.
  if (!existsSync(join(web, 'src'))) return false
  const built = await changedAt(pageFolder)
  if (built === 0) return true
  const own = (await readdir(web, { withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name)
  // The version in it is a part of an address.
  const files = [...own.map((name) => join(web, name)), join(root, 'packages/client/package.json')]
  const ownTimes = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs))
  const times = await Promise.all(pageSources.map(changedAt))
  return Math.max(...ownTimes, ...times) > built
}

/** Builds the pages. Rejects with Vite's output. */
export const buildPage = async (): Promise<void> => {
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  await promisify(execFile)(process.execPath, [vite, 'build', '--logLevel', 'warn'], {
    cwd: web,
    // With a test's NODE_ENV, Vite would build for tests.
    env: { ...process.env, NODE_ENV: 'production' },
    timeout: BUILD_TIMEOUT_MS,
  })
}

/** Builds the pages unless they are newer than their sources. */
export const ensurePage = async (say: (sentence: string) => void): Promise<void> => {
  if (!(await isStale())) return
  say('Building the web page.')
  await buildPage()
}

const HASHED = /-[\w-]{8}(\.\w+)$/

/** Folder with another build of the pages: the hashes in file names differ. Removed after the test. */
export const anotherBuild = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-build-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  const entries = await readdir(pageFolder, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const names = files.map((file) => basename(file)).filter((name) => HASHED.test(name))
  const renamed = (text: string) =>
    names.reduce((all, name) => all.replaceAll(name, name.replace(HASHED, '-another1$1')), text)
  for (const file of files) {
    const copy = join(folder, renamed(relative(pageFolder, file)))
    await mkdir(dirname(copy), { recursive: true })
    await writeFile(copy, renamed(await readFile(file, 'utf8')))
  }
  return folder
}
