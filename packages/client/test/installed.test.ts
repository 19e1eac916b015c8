import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type Cluster,
  documented,
  type HostedPage,
  launchBrowser,
  startCluster,
  startHost,
  testApiKey,
} from '@saoma/testing'
import { root } from './build.ts'
import { type Consumer, createConsumer, pack } from './consumer.ts'

/*
 * The packed packages in a folder of somebody else: nothing there leads to the sources of this repository.
 */

/** Majors of Node that the packages are for, besides the pinned one. Each is an npm package of its own. */
const MAJORS = [20, 22, 24]
const platform = `node-${process.platform}-${process.arch}`
const ENTRIES = [
  '@saoma/protocol',
  '@saoma/protocol/schemas',
  '@saoma/client',
  '@saoma/client/components',
  '@saoma/client/server',
  '@saoma/client/wx',
  '@saoma/react',
  '@saoma/vue',
]

let cluster: Cluster
let packed: readonly string[] = []
let consumer: Consumer
/** The host of a business's pages, and what it serves. */
let host: string
const pages = new Map<string, HostedPage>()

beforeAll(async () => {
  host = await startHost(pages)
  const nodes = MAJORS.map((major) => `node${major}@npm:${platform}@${major}`)
  ;[cluster, consumer] = await Promise.all([
    startCluster({ nodes: 1, env: { SAOMA_ALLOWED_ORIGINS: host } }),
    pack().then((files) => {
      packed = files
      // Not the command, which is large and which nobody imports.
      const imported = files.filter((file) => !/\/saoma-\d/.test(file))
      return createConsumer(imported, [
        ...nodes,
        'typescript@5',
        'vite@8',
        'webpack@5',
        'esbuild@0.28',
        'react@19',
        'react-dom@19',
        '@types/react@19',
        'vue@3',
      ])
    }),
  ])
}, 240_000)

/** The path of a Node of that major, or of the pinned one. */
const nodeOf = (major: number | 'pinned') =>
  major === 'pinned' ? process.execPath : join(consumer.folder, `node_modules/node${major}/bin/node`)

test('the command of docs/login.md installs the packages', async () => {
  const [install] = documented('docs/login.md', 'Install the package')
  const command = install?.code.replaceAll('../saoma/.packages', dirname(packed[0] ?? '')) ?? ''
  await consumer.run('bash', '--norc', '-euc', command)
}, 120_000)

test.each([...MAJORS, 'pinned' as const])('Node %s imports every entry and publishes with it', async (major) => {
  await consumer.write(
    'check.js',
    `const names = {}
     for (const entry of ${JSON.stringify(ENTRIES)}) names[entry] = Object.keys(await import(entry)).sort()
     const { createPublisher, createVerifier } = await import('@saoma/client/server')
     const publisher = createPublisher({ origin: ${JSON.stringify(cluster.origin)}, apiKey: ${JSON.stringify(testApiKey)} })
     const answer = await publisher.publish({ channel: 'user:ann', event: 'paid', data: { order: 17 } })
     // Node 20 has no raw JSON, and nothing in it is a number of any size.
     const { exactText } = await import('@saoma/protocol')
     const exact = [exactText('17'), exactText({}), exactText(17)]
     const refusal = await createVerifier({ origin: ${JSON.stringify(cluster.origin)} }).verify('no token')
     console.log(JSON.stringify({ version: process.version, names, answer, refusal, exact }))`,
  )
  const { version, names, answer, refusal, exact } = JSON.parse(await consumer.run(nodeOf(major), 'check.js'))
  if (major !== 'pinned') expect(version).toMatch(new RegExp(`^v${major}\\.`))
  expect(answer).toMatchObject({ ok: true })
  expect(exact).toEqual([null, null, '17'])
  expect(refusal).toMatchObject({ ok: false, code: 'TOKEN_MALFORMED' })
  const sources = {
    '@saoma/client': 'client/src/index.ts',
    '@saoma/client/components': 'client/src/components.ts',
    '@saoma/client/server': 'client/src/server.ts',
    '@saoma/client/wx': 'client/src/wx/index.ts',
    '@saoma/protocol': 'protocol/src/index.ts',
    '@saoma/protocol/schemas': 'protocol/src/schemas.ts',
    '@saoma/react': 'react/src/index.ts',
    '@saoma/vue': 'vue/src/index.ts',
  }
  for (const [entry, file] of Object.entries(sources))
    expect(names[entry]).toEqual(Object.keys(await import(join(root, 'packages', file))).sort())
})

test.each([...MAJORS, 'pinned' as const])(
  'on Node %s a server renders a page that imports the element',
  async (major) => {
    await consumer.write(
      'render.js',
      `await import('@saoma/client/element')
     const { createSession, createLive } = await import('@saoma/client')
     const { createElement } = await import('react')
     const { renderToString } = await import('react-dom/server')
     const { SaomaLogin } = await import('@saoma/react')
     console.log(typeof window, typeof createSession, typeof createLive)
     console.log(renderToString(createElement(SaomaLogin, { origin: 'https://login.example.com' })))`,
    )
    expect(await consumer.run(nodeOf(major), 'render.js')).toBe(
      'undefined function function\n<saoma-login origin="https://login.example.com"></saoma-login>\n',
    )
  },
)

/** A page as somebody writes it, with the mistakes that the declarations have to find. */
const typed = `
import '@saoma/client/element'
import { createLive, createSession, type LiveState } from '@saoma/client'
import { createChannels } from '@saoma/client/components'
import { createPublisher, createVerifier } from '@saoma/client/server'
import { createWxTransport } from '@saoma/client/wx'
import { SaomaProvider, useChannel as useReactChannel } from '@saoma/react'
import { createSaoma, useChannel as useVueChannel } from '@saoma/vue'
import { createElement } from 'react'

const session = createSession({ origin: 'https://login.example.com' })
const live = createLive({ origin: 'https://login.example.com', token: session })
const state: LiveState = live.state
live.channel('@user').on('message', ({ event, offset }) => console.log(event.length, offset.toFixed(0), state))
const publisher = createPublisher<{ paid: { order: number } }>({ origin: 'https://login.example.com', apiKey: 'k' })
await publisher.publish({ channel: 'user:ann', event: 'paid', data: { order: 17 } })
// @ts-expect-error: the data of this event has another shape
await publisher.publish({ channel: 'user:ann', event: 'paid', data: { order: 'seventeen' } })
// @ts-expect-error: the origin is missing
createSession({})
document.querySelector('saoma-login')?.origin?.startsWith('https:')
document.addEventListener('saoma-login', ({ detail }) => console.log(detail.tokens.access_token.length))
const verified = await createVerifier({ origin: 'https://login.example.com' }).verify('token')
console.log(verified.ok ? verified.value.sub : verified.code, typeof createWxTransport)
createElement(SaomaProvider, { origin: 'https://login.example.com', session })
createSaoma({ origin: 'https://login.example.com', session })
createChannels({ origin: 'https://login.example.com', session }).channel('@user').read().messages.length
console.log(useReactChannel('@user').messages.length, useVueChannel('@user').messages.value.length)
`

/** TypeScript 5 checks the declarations of all packages, on a machine that is busy elsewhere. */
const COMPILE_MS = 240_000

test.each([
  ['5', 'nodenext'],
  ['5', 'bundler'],
  ['7', 'nodenext'],
  ['7', 'bundler'],
])(
  'TypeScript %s with module resolution %s takes the declarations',
  async (version, resolution) => {
    await consumer.write('page.ts', typed)
    const module = resolution === 'nodenext' ? 'nodenext' : 'esnext'
    const compilerOptions = {
      noEmit: true,
      strict: true,
      target: 'es2022',
      types: [],
      module,
      moduleResolution: resolution,
    }
    await consumer.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['page.ts'] }))
    const tsc = version === '5' ? 'node_modules/typescript/bin/tsc' : join(root, 'node_modules/typescript/bin/tsc')
    expect(await consumer.run(process.execPath, tsc, '-p', '.')).toBe('')
  },
  COMPILE_MS,
)

/** Programs that build `page.js` into `out-<name>/page.js`. */
const bundlers = {
  vite: `import { build } from 'vite'
    await build({ configFile: false, logLevel: 'warn', build: { outDir: 'out-vite', lib: { entry: 'page.js', formats: ['es'], fileName: () => 'page.js' } } })`,
  webpack: `import webpack from 'webpack'
    import { resolve } from 'node:path'
    const output = { path: resolve('out-webpack'), filename: 'page.js', publicPath: 'auto' }
    webpack({ mode: 'production', entry: './page.js', output, performance: false }, (error, stats) => {
      if (error || stats.hasErrors() || stats.hasWarnings()) throw error ?? new Error(stats.toString())
    })`,
  esbuild: `import { build } from 'esbuild'
    await build({ entryPoints: ['page.js'], outdir: 'out-esbuild', bundle: true, minify: true, format: 'esm', splitting: true, logLevel: 'warning' })`,
}

test.each(Object.entries(bundlers))('a page built by %s shows a code', async (name, program) => {
  await consumer.write(
    'page.js',
    `import '@saoma/client/element'
     import { createSession } from '@saoma/client'
     globalThis.session = createSession({ origin: ${JSON.stringify(cluster.origin)} })
     document.body.innerHTML = '<saoma-login origin="${cluster.origin}"></saoma-login>'`,
  )
  await consumer.write(`build-${name}.js`, program)
  await consumer.run(process.execPath, `build-${name}.js`)
  const out = join(consumer.folder, `out-${name}`)
  for (const file of await readdir(out))
    pages.set(`/${name}/${file}`, {
      body: await readFile(join(out, file)),
      headers: { 'content-type': 'text/javascript' },
    })
  pages.set(`/${name}/`, {
    body: '<!doctype html><meta charset="utf-8"><body><script type="module" src="page.js"></script></body>',
  })
  const browser = await launchBrowser()
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  await page.goto(`${host}/${name}/`)
  await page.locator('saoma-login img').waitFor()
  expect(await page.evaluate(() => typeof (globalThis as { session?: { on?: unknown } }).session?.on)).toBe('function')
  expect(problems).toEqual([])
  await browser.close()
})

test('React’s server components may import the hooks', async () => {
  const text = await readFile(join(consumer.folder, 'node_modules/@saoma/react/dist/index.js'), 'utf8')
  expect(text).toMatch(/^['"]use client['"]/)
})
