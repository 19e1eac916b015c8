import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from './build.ts'

/** What a page pays for live channels before Socket.IO's client arrives. */
const LARGEST = 17_000

/** Gzipped bytes of a page that imports this and nothing else. */
const weigh = async (code: string, external: string[]): Promise<number> => {
  const out = await build(code, (page) => ({
    build: {
      target: 'es2022',
      modulePreload: { polyfill: false },
      rolldownOptions: { input: page, external, output: { entryFileNames: '[name].js' } },
    },
  }))
  const files = (await readdir(out, { recursive: true })).filter((name) => name.endsWith('.js'))
  const pieces = await Promise.all(files.map((name) => readFile(join(out, name))))
  return gzipSync(Buffer.concat(pieces)).length
}

test(`live channels weigh less than ${LARGEST} bytes without Socket.IO’s client`, async () => {
  const bytes = await weigh("import { createLive } from '@saoma/client'\nglobalThis.createLive = createLive\n", [
    'socket.io-client',
  ])
  expect(bytes).toBeGreaterThan(1_000)
  expect(bytes).toBeLessThan(LARGEST)
})
