import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from './cleanup.ts'

const vite = fileURLToPath(new URL('../../../node_modules/vite/bin/vite.js', import.meta.url))
const BUILD_TIMEOUT_MS = 120_000

export interface BundleOptions {
  /** Of the package that the page uses. It is built below its `dist`, so that it finds what that finds. */
  folder: string
  /** Sources by name. `page.js` is the one that a browser loads. */
  sources: Readonly<Record<string, string>>
  /** Names that the build replaces, with the code to put there. */
  define?: Readonly<Record<string, string>>
}

/**
 * Builds a page with Vite as somebody's application would be, but for development, so that frameworks check
 * what they can. Resolves with the built files by path; `page.js` is the page. Rejects with Vite's output.
 */
export const bundle = async ({ folder, sources, define = {} }: BundleOptions): Promise<Map<string, Buffer>> => {
  await mkdir(join(folder, 'dist'), { recursive: true })
  const root = await mkdtemp(join(folder, 'dist', 'page-'))
  onCleanup(() => rm(root, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(sources)) await writeFile(join(root, name), text)

  const config = {
    root,
    configFile: false,
    logLevel: 'warn',
    define,
    build: {
      outDir: 'out',
      target: 'es2022',
      minify: false,
      modulePreload: { polyfill: false },
      rolldownOptions: { input: join(root, 'page.js'), output: { entryFileNames: '[name].js' } },
    },
  }
  const settings = join(root, 'vite.config.mjs')
  await writeFile(settings, `export default ${JSON.stringify(config)}\n`)
  await promisify(execFile)(process.execPath, [vite, 'build', '--mode', 'development', '--config', settings], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'development' },
    timeout: BUILD_TIMEOUT_MS,
  })

  const out = join(root, 'out')
  const files = (await readdir(out, { withFileTypes: true, recursive: true })).filter((entry) => entry.isFile())
  const paths = files.map((file) => join(file.parentPath, file.name))
  return new Map(await Promise.all(paths.map(async (path) => [relative(out, path), await readFile(path)] as const)))
}
