import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'

const BUILD_TIMEOUT_MS = 60_000

/** Builds the pages as they are shipped, into a folder of their own. */
export const buildPages = async (): Promise<string> => {
  const outDir = await mkdtemp(join(tmpdir(), 'saoma-web-'))
  onCleanup(() => rm(outDir, { recursive: true, force: true }))
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin/vite.js')
  await promisify(execFile)(process.execPath, [vite, 'build', '--outDir', outDir, '--logLevel', 'error'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    // Vite takes a test's NODE_ENV for a wish to build for tests.
    env: { ...process.env, NODE_ENV: 'production' },
    timeout: BUILD_TIMEOUT_MS,
  })
  return outDir
}
