import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launchBrowser, onCleanup, type Process, plainEnv, publicNames, startProcess } from '@saoma/testing'
import { downloads, linkOf, readSheets, sheets } from '../src/pages.ts'
import { entryPoints } from '../src/reference.ts'
import { root } from '../src/repository.ts'
import { apiAddress } from '../src/sidebar.ts'
import { type BuiltPage, readBuiltSite } from './built-site.ts'

/** Not the root, so that a link without the base fails. */
const BASE = '/manual/'
const BUILD_TIMEOUT_MS = 240_000

let folder: string
let site: Process
let origin: string
let pages: Map<string, BuiltPage>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'saoma-site-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  site = await startProcess({
    name: 'the site',
    command: process.execPath,
    args: [main, '--base', BASE, '--out', folder, '--port', '0'],
    cwd: root,
    env: plainEnv(),
    // The bundler of VitePress ends after us.
    forks: true,
    ready: ({ text }) => text.includes('The documentation is at'),
    readyTimeoutMs: BUILD_TIMEOUT_MS,
  })
  origin = /http:\/\/127\.0\.0\.1:\d+/.exec(site.lines.map(({ text }) => text).join('\n'))?.[0] ?? ''
  pages = readBuiltSite(folder)
}, BUILD_TIMEOUT_MS)

test('every page of the table is there, in both languages', () => {
  expect(readSheets(root).missing.map(({ file }) => file)).toEqual([])
  const wanted = sheets.map(({ address }) => linkOf(address))
  expect(wanted.filter((path) => !pages.has(path))).toEqual([])
})

test('every link leads to a page, a file or a heading', () => {
  const problems = [...pages.values()].flatMap(({ path, links }) =>
    links.flatMap((link) => {
      const url = new URL(link, `http://site${BASE}${path.slice(1)}`)
      if (url.host !== 'site') return []
      const inSite = decodeURI(url.pathname.slice(BASE.length - 1))
      const page = pages.get(inSite) ?? pages.get(inSite.replace(/\/$/, ''))
      const isFile =
        !page && inSite.includes('.') && statSync(join(folder, inSite), { throwIfNoEntry: false })?.isFile()
      const anchor = decodeURIComponent(url.hash.slice(1))
      if (!url.pathname.startsWith(BASE) || (!page && !isFile)) return [`${path} links to ${link}`]
      return anchor === '' || page?.ids.has(anchor) ? [] : [`${path} links to ${link}, where no heading is`]
    }),
  )
  expect([...new Set(problems)]).toEqual([])
})

test('links to the repository name files that it has', () => {
  const prefix = /^https:\/\/github\.com\/saoma\/saoma\/(?:blob|tree|edit)\/main\/([^#]+)/
  const named = [...pages.values()].flatMap(({ path, links }) =>
    links.flatMap((link) => {
      const file = prefix.exec(link)?.[1]
      return file === undefined ? [] : [{ path, file: decodeURI(file) }]
    }),
  )
  expect(named.length).toBeGreaterThan(200)
  const gone = named.filter(({ file }) => !statSync(join(root, file), { throwIfNoEntry: false }))
  expect(gone.map(({ path, file }) => `${path} links to ${file}`)).toEqual([])
})

test('every public function, class and value has a page', async () => {
  const missing = Object.keys(entryPoints).flatMap((entry) => {
    const { values } = publicNames(entry)
    expect([entry, values.length]).not.toEqual([entry, 0])
    // A function of two entry points has its page below one of them, and both lead there.
    const links = pages.get(`/${apiAddress(entry)}/`)?.links ?? []
    return values
      .filter(({ name }) => !links.some((link) => new RegExp(`/(?:functions|variables|classes)/${name}$`).test(link)))
      .map(({ name }) => `${name} of ${entry}`)
  })
  expect(missing).toEqual([])
  const session = pages.get('/api/client/functions/createSession')?.html
  expect(session).toContain('SessionOptions')
  expect(session).toMatch(/github\.com\/saoma\/saoma\/blob\/main\/packages\/client\/src\/session\/session\.ts#L\d+/)
})

test('every public function has a docstring', () => {
  expect(site.lines.map(({ text }) => text).filter((line) => /no docstring|\[warning\]/.test(line))).toEqual([])
})

test('the documents of the API can be downloaded', async () => {
  for (const [file, address] of Object.entries(downloads)) {
    const answer = await fetch(`${origin}${BASE.slice(0, -1)}${address}`)
    expect(await answer.text()).toBe(readFileSync(join(root, file), 'utf8'))
    expect([...(pages.get('/api/')?.links ?? [])].some((link) => link.endsWith(address))).toBe(true)
  }
})

test('nothing is loaded from another host', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const loaded =
    /<(?:script|img|link|iframe|source)\b[^>]*\s(?:src|href)="(?:https?:)?\/\/|@import|url\(["']?(?:https?:)?\/\//
  const foreign = files.filter(
    (file) => /\.(?:html|css)$/.test(file) && loaded.test(readFileSync(join(folder, file), 'utf8')),
  )
  expect(foreign).toEqual([])
})

describe('in a browser', () => {
  const look = async (path: string) => {
    const browser = await launchBrowser()
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    const wrong: string[] = []
    page.on('pageerror', (error) => wrong.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()))
    page.on('request', (asked) => {
      const { protocol, origin: host } = new URL(asked.url())
      if (protocol !== 'data:' && host !== origin) wrong.push(asked.url())
    })
    page.on('response', (answer) => answer.status() >= 400 && wrong.push(`${answer.status()} ${answer.url()}`))
    await page.goto(`${origin}${BASE.slice(0, -1)}${path}`)
    return { page, wrong }
  }
  const search = async (path: string, words: string): Promise<string[]> => {
    const { page, wrong } = await look(path)
    await page.locator('.VPNavBarSearch button').first().click()
    await page.locator('.search-input').fill(words)
    await page.locator('.results .result').first().waitFor()
    const found = await page
      .locator('.results a.result')
      .evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''))
    expect(wrong).toEqual([])
    return found
  }

  test('the home page leads through three doors, and to the other language', async () => {
    const { page, wrong } = await look('/')
    expect(await page.locator('.VPFeature').count()).toBe(3)
    const picture = page.locator('.VPHero img')
    const isShown = () => picture.evaluate((image: HTMLImageElement) => image.complete && image.naturalWidth > 0)
    await page.waitForLoadState()
    expect(await isShown()).toBe(true)
    await page.locator('.VPNavBar .language-link').click()
    await page.waitForURL(`**${BASE}zh/`)
    // The address changes first.
    await page.locator('html[lang="zh-CN"]').waitFor()
    expect(await isShown()).toBe(true)
    await page.locator('.VPFeature').filter({ hasText: '在网页上登录' }).click()
    await page.locator('.vp-doc h1').waitFor()
    await page.locator('.VPNavBar .language-link').click()
    await page.waitForURL(`**${BASE}login`)
    expect(wrong).toEqual([])
  })

  test('a heading is reached by the anchor that GitHub gives it', async () => {
    const { page, wrong } = await look('/protocol#for-the-browser')
    await page.locator('#for-the-browser').waitFor()
    await page.waitForFunction(() => window.scrollY > 0)
    expect(wrong).toEqual([])
  })

  test('the search finds words of both languages', async () => {
    expect(await search('/', 'createSession')).toContainEqual(expect.stringContaining(`${BASE}login`))
    expect(await search('/zh/', '令牌')).toContainEqual(expect.stringContaining(`${BASE}zh/`))
    expect(await search('/zh/', '扫')).toContainEqual(expect.stringContaining(`${BASE}zh/`))
  })

  test('an unknown address is answered 404, with a page', async () => {
    const answer = await fetch(`${origin}${BASE}gone`)
    expect(answer.status).toBe(404)
    expect(await answer.text()).toContain('404')
    expect((await fetch(`${origin}${BASE}..%2f..%2f..%2fetc/passwd`)).status).toBe(404)
    expect((await fetch(`${origin}${BASE}%ff`)).status).toBe(404)
  })
})
