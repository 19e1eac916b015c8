import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createContext, Script } from 'node:vm'
import { type Cluster, createTicket, createWx, onCleanup, poll, startCluster } from '@saoma/testing'
import type { Program } from '../src/logic/program.ts'
import { zh } from '../src/logic/words-zh.ts'
import { show } from './phone.ts'

const app = fileURLToPath(new URL('..', import.meta.url))
const dist = join(mkdtempSync(join(tmpdir(), 'saoma-miniprogram-')), 'dist')
onCleanup(() => rmSync(dirname(dist), { recursive: true }))
const PAGE = 'pages/scan/confirm'
const WECHAT_TAKES_BYTES: number = 2 * 1024 * 1024
/** Ends one that hangs. */
const BUILD_TIMEOUT_MS = 55_000

const build = async (env: Record<string, string>): Promise<void> => {
  const { PATH } = process.env
  const args = [join(app, 'build.ts'), '--out', dist]
  await promisify(execFile)(process.execPath, args, { env: { PATH, ...env }, timeout: BUILD_TIMEOUT_MS })
}

const filesOf = (end: string): string[] => globSync(`**/*${end}`, { cwd: dist }).sort()
const read = (file: string): string => readFileSync(join(dist, file), 'utf8')
const json = (file: string): Record<string, unknown> => JSON.parse(read(file))
const usedBy = (file: string): string[] => Object.values((json(file).usingComponents ?? {}) as Record<string, string>)

/**
 * Names that WeChat gives to each file as parameters without a value, so that the globals of that name are
 * out of its reach.
 */
const shadowed = `window, document, frames, self, location, navigator, localStorage, history, screen, fetch, XMLHttpRequest, WebSocket, URL`

/**
 * Runs a file as WeChat does: one function for each, where there is ECMAScript, timers, what is given and
 * nothing else.
 */
const createRunner = (given: object): ((file: string) => unknown) => {
  const timers = {
    // WeChat ends them with the mini-program, and this process must not wait for them.
    setTimeout: (work: () => void, ms: number) => setTimeout(work, ms).unref(),
    setInterval: (work: () => void, ms: number) => setInterval(work, ms).unref(),
    clearTimeout,
    clearInterval,
  }
  const context = createContext({ ...timers, console, ...given }, { codeGeneration: { strings: false, wasm: false } })
  const loaded = new Map<string, { exports: unknown }>()
  const run = (file: string): unknown => {
    const known = loaded.get(file)
    if (known) return known.exports
    const module = { exports: {} }
    loaded.set(file, module)
    const source = `(function (require, module, exports, ${shadowed}) {${read(file)}\n})`
    const define = new Script(source, { filename: file }).runInContext(context)
    define((path: string) => run(join(dirname(file), path)), module, module.exports)
    return module.exports
  }
  return run
}

/** What the library asks of every phone. */
const phone = {
  getAppBaseInfo: () => ({ language: 'zh_CN', SDKVersion: '3.8.10' }),
  getDeviceInfo: () => ({ platform: 'android' }),
  getSystemInfoSync: () => ({ platform: 'android', windowWidth: 390 }),
  getWindowInfo: () => ({ windowWidth: 390 }),
}

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 })
  await build({ SAOMA_ORIGIN: cluster.origin, SAOMA_PAGE: PAGE })
})

describe('the package', () => {
  it('is small enough for WeChat', () => {
    const sizes = filesOf('.*').map((file) => statSync(join(dist, file)).size)
    // Half of it is left to those who build on this.
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(WECHAT_TAKES_BYTES / 2)
  })

  it('lists exactly the existing pages, with the login page at the requested path', () => {
    const pages = (json('app.json').pages as string[]).map((page) => `${page}.wxml`)
    expect([...pages].sort()).toEqual(filesOf('.wxml').filter((file) => file.startsWith('pages/')))
    expect(pages).toContain(`${PAGE}.wxml`)
    for (const page of pages)
      for (const end of ['.js', '.json', '.wxss']) expect(existsSync(join(dist, page.replace('.wxml', end)))).toBe(true)
  })

  it('has tabs that are pages, and a theme with the same colours in light and dark', () => {
    const { pages, tabBar } = json('app.json') as { pages: string[]; tabBar: { list: { pagePath: string }[] } }
    for (const { pagePath } of tabBar.list) expect(pages).toContain(pagePath)
    const { light, dark } = json('theme.json') as Record<string, object>
    expect(Object.keys(light ?? {})).toEqual(Object.keys(dark ?? {}))
    for (const [, name = ''] of read('app.json').matchAll(/"@(\w+)"/g)) expect(light).toHaveProperty(name)
  })

  it('contains every component in use and what those import', () => {
    const missing = [
      ...filesOf('.json').flatMap((file) => usedBy(file).map((path) => [file, path, '.js'] as const)),
      ...filesOf('.json').flatMap((file) => usedBy(file).map((path) => [file, path, '.wxml'] as const)),
      ...[...filesOf('.wxml'), ...filesOf('.wxss')].flatMap((file) =>
        [...read(file).matchAll(/(?:<(?:import|include|wxs)[^>]* src=|@import )["']([^"']+)["']/g)].map(
          ([, path = '']) => [file, path, ''] as const,
        ),
      ),
    ].filter(([file, path, end]) => !existsSync(join(dist, path.startsWith('/') ? '' : dirname(file), path + end)))
    expect(missing).toEqual([])
  })

  it.each(globSync('pages/*/*.wxml', { cwd: join(app, 'src') }))(
    '%s binds only what its page has and names only what it uses',
    (file) => {
      const wxml = readFileSync(join(app, 'src', file), 'utf8')
      const script = readFileSync(join(app, 'src', file.replace('.wxml', '.ts')), 'utf8')
      const { usingComponents } = JSON.parse(readFileSync(join(app, 'src', file.replace('.wxml', '.json')), 'utf8'))
      for (const [, method] of wxml.matchAll(/bind:[\w-]+="(\w+)"/g))
        expect(script).toMatch(new RegExp(`^ {4}(async )?${method}\\(`, 'm'))
      const tags = new Set([...wxml.matchAll(/<(t-[\w-]+)/g)].map(([, tag]) => tag))
      expect([...tags].sort()).toEqual(Object.keys(usingComponents).sort())
      // Words are there in both languages by their type; here that the page names none that is not.
      for (const [, path = ''] of wxml.matchAll(/words((?:\.\w+)+)/g)) expect(zh).toHaveProperty(path.slice(1))
    },
  )
})

test("in WeChat's JavaScript every file registers its own component once", () => {
  const registered: object[] = []
  const run = createRunner({
    wx: { ...createWx().wx, ...phone },
    App: () => {},
    Behavior: (definition: object) => definition,
    Component: (definition: object) => void registered.push(definition),
    getApp: () => ({}),
  })
  run('app.js')
  expect(registered).toEqual([])
  const components = filesOf('.wxml')
    .map((file) => file.replace('.wxml', '.js'))
    .filter((file) => existsSync(join(dist, file)))
  for (const file of components) {
    run(file)
    expect(registered.splice(0)).toHaveLength(1)
  }
  expect(components.length).toBeGreaterThan(10)
})

test("in WeChat's JavaScript, without browser features, the program confirms a login", async () => {
  const { ticket, device_code: deviceCode } = await createTicket(cluster.origin)
  const { wx } = createWx({ login: async () => 'demo:Li Lei' })
  const programs: Program[] = []
  const App = ({ globalData }: { globalData: { program: Program } }) => void programs.push(globalData.program)
  createRunner({ wx, App })('app.js')
  const [program] = programs
  if (!program) throw new Error('App was not called')
  onCleanup(() => program.close())

  const { page, when } = show((onChange) => program.login(onChange))
  page.open({ scene: ticket, launchScene: 1047 })
  await when(({ screen }) => screen.status === 'asking')
  page.confirm()
  await when(({ screen }) => screen.status === 'confirmed')
  expect((await poll(cluster.origin, deviceCode, { wait: 0 })).body).toMatchObject({ status: 'confirmed' })
})
