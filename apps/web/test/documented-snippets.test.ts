import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  bundle,
  confirm,
  ensurePage,
  type HostedPage,
  launchBrowser,
  pageFolder,
  phoneToken,
  plainEnv,
  publish,
  request,
  scan,
  startCluster,
  startHost,
  storageWith,
  storedLogin,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import type { SdkVersion } from '../hosted-sdk.ts'
import { documentedCode } from './documented-code.ts'
import type { Browser, Device, Page } from './people.ts'

/*
 * The code of docs/login.md and docs/live.md for pages, as it stands there, but for React and Vue, which have
 * tests of their own.
 */

const root = fileURLToPath(new URL('../../../', import.meta.url))
const [LOGIN, LIVE] = ['docs/login.md', 'docs/live.md'] as const
const NONCE = 'n0nce'

const hosted = new Map<string, HostedPage>()
let origin: string
let host: string
let browser: Browser

/** The code under that heading, with this cluster's address. */
const codeOf = (page: string, heading: string, count: number) => documentedCode(origin, page, heading, count)

/** What each page of the bundle runs, by its name. */
const snippets = () => ({
  markup: codeOf(LOGIN, 'Use your own markup', 1)[0] ?? '',
  keep: codeOf(LOGIN, 'Keep the person logged in', 1)[0] ?? '',
  hear: codeOf(LOGIN, 'Hear of a logout on another device', 1)[0] ?? '',
  devices: codeOf(LOGIN, 'Show where a person is logged in', 1)[0] ?? '',
  receive: codeOf(LIVE, 'Receive in a page', 1)[0] ?? '',
})

/** The names that snippets use and do not define. What they are called with is in `heard`. */
const globalsOf = (names: readonly string[]) => `
  import { createLive, createSession } from '@saoma/client'
  globalThis.heard = []
  globalThis.origin = ${JSON.stringify(origin)}
  for (const name of ['show', 'call', 'bell', 'apply', 'reloadFromBackend'])
    globalThis[name] = (...given) => heard.push([name, ...given])
  const name = new URLSearchParams(location.search).get('run')
  if (name !== 'keep' && name !== 'receive') {
    globalThis.session = createSession({ origin: ${JSON.stringify(origin)} })
    session.on('ended', (end) => heard.push(['ended', end]))
  }
  if (name === 'hear') globalThis.live = createLive({ origin: ${JSON.stringify(origin)}, token: session })
  export const pages = { ${names.map((each) => `${each}: () => import('./${each}.js')`).join(', ')} }
  await pages[name]()
  globalThis.isRun = true`

beforeAll(async () => {
  await ensurePage(() => {})
  host = await startHost(hosted)
  const rules = JSON.stringify([{ match: 'room:table-*', follow: 'public' }])
  const env = { SAOMA_WEB_ROOT: pageFolder, SAOMA_ALLOWED_ORIGINS: host, SAOMA_CHANNELS: rules }
  ;({ origin } = await startCluster({ env }))
  browser = await launchBrowser()
  const sources = Object.entries(snippets()).map(([name, code]) => [`${name}.js`, code] as const)
  const files = await bundle({
    folder: join(root, 'packages/testing'),
    sources: { ...Object.fromEntries(sources), 'page.js': globalsOf(Object.keys(snippets())) },
  })
  for (const [path, body] of files) hosted.set(`/${path}`, { body, headers: { 'content-type': 'text/javascript' } })
  hosted.set('/bundle', {
    body: `<!doctype html><html lang="en"><saoma-login origin="${origin}"></saoma-login>
      <script type="module" src="/page.js"></script></html>`,
  })
}, 120_000)

/** What a login of that person leaves in a browser, and who it is. */
const loggedIn = async (name: string) => {
  const login = await storedLogin(origin, name)
  return { ...login, device: { storageState: storageWith(host, login) } satisfies Device }
}
const problems: string[] = []
afterEach(() => expect(problems.splice(0)).toEqual([]))
const open = async (path: string, device: Device = {}, prepare?: (page: Page) => Promise<unknown>): Promise<Page> => {
  const page = await (await browser.newContext({ locale: 'en-US', ...device })).newPage()
  page.on('pageerror', ({ message }) => problems.push(message))
  await prepare?.(page)
  await page.goto(`${host}${path}`)
  return page
}
let drawn = 0
/** A page of the business with that body. */
const openBody = (body: string, headers: Record<string, string> = {}, prepare?: (page: Page) => Promise<unknown>) => {
  const path = `/${++drawn}`
  hosted.set(path, { body: `<!doctype html><html lang="en">${body}</html>`, headers })
  return open(path, {}, prepare)
}
const decide = async (ticket: string, name: string) => {
  const phone = await phoneToken(origin, name)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
}
const logIn = async (page: Page, name: string) => {
  await page.locator('saoma-login img').waitFor()
  await decide(await page.evaluate<string>("document.querySelector('saoma-login').state.ticket"), name)
}
/** Everything that the page heard, once that word is in it. */
const heard = async (page: Page, word: string): Promise<unknown[]> => {
  await page.waitForFunction((wanted) => JSON.stringify(Reflect.get(globalThis, 'heard')).includes(wanted), word)
  return page.evaluate<unknown[]>('heard')
}
const untilRun = (page: Page) => page.waitForFunction('globalThis.isRun')

test('the element logs in under the policy of the page, and the person is greeted', async () => {
  const [html = ''] = codeOf(LOGIN, 'Use the element', 2)
  const [policy = ''] = codeOf(LOGIN, 'Content-Security-Policy', 1)
  const whole = `default-src 'none'; ${policy.trim().replace('\n', ' ').replace('script-src', `script-src 'nonce-${NONCE}'`)}`
  const page = await openBody(
    html.replaceAll('<script', `<script nonce="${NONCE}"`),
    { 'content-security-policy': whole },
    async (one) => one.on('console', (line) => void (/policy/i.test(line.text()) && problems.push(line.text()))),
  )
  await logIn(page, 'Ada')
  await page.getByText('Hello, Ada').waitFor()
})

test('a page that keeps no tokens gives the login to its backend', async () => {
  const [, js = ''] = codeOf(LOGIN, 'Use the element', 2)
  hosted.set('/session', { body: '' })
  const page = await openBody(
    `<script type="module" src="${origin}/saoma-login.js"></script><saoma-login origin="${origin}"></saoma-login>
     <script type="module">${js}</script>`,
  )
  const asked = page.waitForRequest('**/session')
  await logIn(page, 'Bea')
  const [, token = ''] = /^Bearer (.+)$/.exec((await (await asked).allHeaders()).authorization ?? '') ?? []
  expect(await request(`${origin}/v1/sessions`, { bearer: token })).toMatchObject({ status: 200 })
})

test('a login with one’s own markup shows its states, and the session gets the tokens', async () => {
  const page = await open('/bundle?run=markup')
  const shown = await heard(page, '"waiting"')
  const { ticket } = (shown.at(-1) as [string, { ticket: string }])[1]
  await decide(ticket, 'Cid')
  const all = (await heard(page, '"done"')) as [string, { status: string }][]
  expect(new Set(all.map(([, { status }]) => status))).toEqual(
    new Set(['creating', 'waiting', 'scanned', 'confirmed', 'done']),
  )
  expect(await page.evaluate('session.claims.name')).toBe('Cid')
})

test('a page without a build logs in and follows the person’s channel', async () => {
  const [load = '', use = ''] = codeOf(LOGIN, 'A page without a build', 2)
  const told = (await request<SdkVersion>(`${origin}/sdk/version.json`)).body
  const { sdk } = told.paths
  const today = (html: string) =>
    html
      .replaceAll(/\/sdk\/\d+\.\d+\.\d+-[0-9a-f]{8}\/saoma\.js/g, sdk)
      .replaceAll('sha384-…', told.integrity[sdk] ?? '')
  // What the page shows is what the command prints, but for its comments.
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/sdk.ts', '--origin', origin], {
    cwd: root,
    env: plainEnv(),
  })
  expect(stdout.replace(/^<!--.*-->\n/gm, '').trim()).toBe(today(load).trim())

  const page = await openBody(
    `<script>window.heard = []; window.show = (...given) => heard.push(given)</script>${today(load)}${today(use)}`,
  )
  await logIn(page, 'Dan')
  await page.locator('saoma-login').waitFor({ state: 'detached' })
  const { user } = await webToken(origin, 'Dan')
  // The page begins to follow in its own time. It hears what is published from then on.
  await until(
    async () => {
      await publish(origin, { channel: `user:${user}`, event: 'order', data: { id: 7 } })
      return page.evaluate<unknown[]>('heard')
    },
    (all) => all.length > 0,
  )
  expect(await heard(page, 'order')).toContainEqual(['order', { id: 7 }])
})

test('a session that the page keeps gives an access token', async () => {
  const { device } = await loggedIn('Eve')
  const page = await open('/bundle?run=keep', device)
  await untilRun(page)
  const [[name, token] = []] = (await page.evaluate<[string, string][]>('heard')) ?? []
  expect(name).toBe('call')
  expect(await request(`${origin}/v1/sessions`, { bearer: token ?? '' })).toMatchObject({ status: 200 })
})

test('a page with a live connection hears of a logout on another device', async () => {
  const { device } = await loggedIn('Fay')
  const page = await open('/bundle?run=hear', device)
  await untilRun(page)
  // A phone of the same person ends all logins. The page may connect before or after that.
  const phone = await phoneToken(origin, 'Fay')
  await request(`${origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await heard(page, 'ended')).toContainEqual(['ended', { reason: 'revoked' }])
})

test('the list of logins shows every place, ends one, and then all others', async () => {
  const { accessToken, device } = await loggedIn('Gus')
  const others = [await webToken(origin, 'Gus'), await webToken(origin, 'Gus')]
  const sessionsOf = async () =>
    (
      await request<{ sessions: { sid: string; current: boolean }[] }>(`${origin}/v1/sessions`, {
        bearer: accessToken,
      })
    ).body.sessions
  const before = await sessionsOf()
  expect(before).toHaveLength(1 + others.length)
  const other = before.find(({ current }) => !current)?.sid ?? ''
  const page = await open('/bundle?run=devices', device, (one) => one.addInitScript(`globalThis.sid = '${other}'`))
  await untilRun(page)
  expect(await sessionsOf()).toMatchObject([{ current: true }])
})

test('a page receives what is for the person and for the room', async () => {
  const { user, device } = await loggedIn('Hal')
  await publish(origin, { channel: `user:${user}`, event: 'earlier', data: 1 })
  const page = await open('/bundle?run=receive', device)
  expect(await heard(page, 'earlier')).toContainEqual(['show', 'earlier', 1])
  expect(await heard(page, 'bell')).toContainEqual(['bell', 1])
  await until(
    async () =>
      (await request<{ connections: number }>(`${origin}/v1/channels/room:table-7/presence`, { bearer: testApiKey }))
        .body.connections,
    (connections) => connections === 1,
  )
  await publish(origin, { channel: 'room:table-7', event: 'ordered', data: { dish: 'noodles' } })
  expect(await heard(page, 'noodles')).toContainEqual(['apply', { dish: 'noodles' }])
})
