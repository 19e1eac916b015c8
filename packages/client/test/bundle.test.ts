import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { onCleanup } from '@saoma/testing'

/** What a page pays for live channels before Socket.IO's client arrives. */
const LARGEST = 15_000
const BUILD_TIMEOUT_MS = 25_000

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Gzipped bytes of a page that imports this and nothing else. */
const weigh = async (code: string, external: string[]): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-bundle-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'page.js'), code)
  const alias = {
    '@saoma/client/server': join(root, 'packages/client/src/server.ts'),
    '@saoma/client': join(root, 'packages/client/src/index.ts'),
  }
  const config = {
    logLevel: 'warn',
    configFile: false,
    resolve: { alias },
    build: {
      outDir: 'out',
      target: 'es2022',
      modulePreload: { polyfill: false },
      rolldownOptions: { input: join(folder, 'page.js'), external, output: { entryFileNames: '[name].js' } },
    },
  }
  await writeFile(join(folder, 'vite.config.mjs'), `export default ${JSON.stringify({ ...config, root: folder })}\n`)
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  const args = [vite, 'build', '--config', join(folder, 'vite.config.mjs')]
  await promisify(execFile)(process.execPath, args, { cwd: root, timeout: BUILD_TIMEOUT_MS })
  const out = join(folder, 'out')
  const files = (await readdir(out, { recursive: true })).filter((name) => name.endsWith('.js'))
  const pieces = await Promise.all(files.map((name) => readFile(join(out, name))))
  return gzipSync(Buffer.concat(pieces)).length
}

test(`live channels weigh less than ${LARGEST} bytes without Socket.IO's client`, async () => {
  const bytes = await weigh("import { createLive } from '@saoma/client'\nglobalThis.createLive = createLive\n", [
    'socket.io-client',
  ])
  expect(bytes).toBeGreaterThan(1_000)
  expect(bytes).toBeLessThan(LARGEST)
})
