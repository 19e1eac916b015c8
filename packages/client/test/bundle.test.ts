import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from './build.ts'

/** What a page loads, and what it may cost. */
interface Budget {
  /** A page that imports this and nothing else. */
  code: string
  /** Minified and gzipped. */
  bytes: number
  /** The npm packages that code comes from. */
  packages: string[]
  /** Whether Socket.IO's client counts. Without it, this is what is there before that client is loaded. */
  isWhole: boolean
}

const SOCKET_IO = [
  '@socket.io/component-emitter',
  'engine.io-client',
  'engine.io-parser',
  'socket.io-client',
  'socket.io-parser',
]

const budgets: Record<string, Budget> = {
  'the element, before Socket.IO’s client': {
    code: "import '@saoma/client/element'\n",
    bytes: 27_000,
    packages: ['@lit/reactive-element', 'lit-element', 'lit-html', 'valibot'],
    isWhole: false,
  },
  'live channels, before Socket.IO’s client': {
    code: "import { createLive } from '@saoma/client'\nglobalThis.createLive = createLive\n",
    bytes: 18_600,
    packages: ['valibot'],
    isWhole: false,
  },
  // As apps/web/src/sdk.ts and the environment `sdk` of apps/web/vite.config.ts have it.
  'the hosted file': {
    code: "export * from '@saoma/client'\n",
    bytes: 39_200,
    packages: [...SOCKET_IO, 'valibot'],
    isWhole: true,
  },
}

/** Parts that a page loads only if it uses them: the key of a browser, and a browser that is remembered. */
const ON_DEMAND = /^(?:assets\/)?(?:dpop|known|remember)-[\w-]+\.js$/

/** The name of the package that a source is from, by its path: the last one, if packages lie in packages. */
const packageOf = (source: string): string | undefined => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1]

const sourcesOf = (text: string): string[] => {
  const map: unknown = JSON.parse(text)
  const sources: unknown = typeof map === 'object' && map && 'sources' in map ? map.sources : undefined
  return Array.isArray(sources) ? sources.map(String) : []
}

/** Gzipped bytes of a page that imports this and nothing else, and the packages in it. */
const weigh = async ({ code, isWhole }: Budget): Promise<{ bytes: number; packages: string[] }> => {
  const out = await build(code, (page) => ({
    build: {
      target: 'es2022',
      modulePreload: { polyfill: false },
      // Beside the files, and not named in them.
      sourcemap: 'hidden',
      rolldownOptions: {
        input: page,
        preserveEntrySignatures: 'exports-only',
        external: isWhole ? [] : ['socket.io-client'],
        output: { entryFileNames: '[name].js', ...(isWhole ? { codeSplitting: false } : {}) },
      },
    },
  }))
  const names = await readdir(out, { recursive: true })
  const read = (end: string) =>
    Promise.all(names.filter((name) => name.endsWith(end)).map((name) => readFile(join(out, name))))
  const sources = (await read('.js.map')).flatMap((map) => sourcesOf(String(map)))
  const packages = new Set(sources.flatMap((source) => packageOf(source) ?? []))
  const loaded = names.filter((name) => name.endsWith('.js') && !ON_DEMAND.test(name))
  const files = await Promise.all(loaded.map((name) => readFile(join(out, name))))
  // Else nothing of it would be left out.
  expect(loaded.length < names.filter((name) => name.endsWith('.js')).length).toBe(!isWhole)
  return { bytes: gzipSync(Buffer.concat(files)).length, packages: [...packages].toSorted() }
}

test.each(Object.keys(budgets))('%s: its size and its npm packages', async (name) => {
  const budget = budgets[name]
  if (!budget) throw new Error(`there is no budget for ${name}`)
  const { bytes, packages } = await weigh(budget)
  expect(packages).toEqual(budget.packages)
  expect(bytes).toBeGreaterThan(1_000)
  expect(bytes).toBeLessThan(budget.bytes)
})
