import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'

export const root: string = fileURLToPath(new URL('../../../', import.meta.url))

const client = join(root, 'packages/client/src')
const BUILD_TIMEOUT_MS = 25_000

interface Settings {
  build: object
  define?: Record<string, string>
}

/**
 * Builds this page with Vite, as somebody's application would be. Resolves with the folder of what was made;
 * `entry` is the page.
 */
export const build = async (code: string, settings: (entry: string) => Settings): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-build-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  const entry = join(folder, 'page.js')
  await writeFile(entry, code)
  const { build: how, define = {} } = settings(entry)
  const config = {
    root: folder,
    logLevel: 'warn',
    configFile: false,
    define,
    resolve: {
      alias: {
        '@saoma/client/wx/globals': join(client, 'wx/globals.ts'),
        '@saoma/client/wx': join(client, 'wx/index.ts'),
        '@saoma/client/server': join(client, 'server.ts'),
        '@saoma/client/element': join(client, 'element/element.ts'),
        '@saoma/client': join(client, 'index.ts'),
        '@tarojs': join(root, 'node_modules/@tarojs'),
        '@dcloudio': join(root, 'node_modules/@dcloudio'),
        '@vue': join(root, 'node_modules/@vue'),
      },
    },
    build: { outDir: 'out', ...how },
  }
  await writeFile(join(folder, 'vite.config.mjs'), `export default ${JSON.stringify(config)}\n`)
  const args = [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--config', join(folder, 'vite.config.mjs')]
  await promisify(execFile)(process.execPath, args, {
    cwd: root,
    // With a test's NODE_ENV, Vite would take the variants of libraries that are for debugging.
    env: { ...process.env, NODE_ENV: 'production' },
    timeout: BUILD_TIMEOUT_MS,
  })
  return join(folder, 'out')
}
