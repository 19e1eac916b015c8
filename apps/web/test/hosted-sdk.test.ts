import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
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
  until,
} from '@saoma/testing'
import type { SdkVersion } from '../hosted-sdk.ts'
import type { Browser, Page } from './people.ts'

/*
 * A page without a build: the element hands its login to a session of the hosted SDK.
 */

const root = fileURLToPath(new URL('../../../', import.meta.url))
const NONCE = 'n0nce'

const pages = new Map<string, HostedPage>()
let origin: string
let host: string
let browser: Browser
let told: SdkVersion
/** The address of the hosted SDK, and its hash. */
let sdk: string
let integrity: string

beforeAll(async () => {
  await ensurePage(() => {})
  host = await startHost(pages)
  ;({ origin } = await startCluster({ env: { SAOMA_WEB_ROOT: pageFolder, SAOMA_ALLOWED_ORIGINS: host } }))
  browser = await launchBrowser()
  told = (await request<SdkVersion>(`${origin}/sdk/version.json`)).body
  sdk = `${origin}${told.paths.sdk}`
  integrity = told.integrity[told.paths.sdk] ?? ''
}, 90_000)

interface Given {
  headers?: Record<string, string>
  prepare?: (page: Page) => Promise<unknown>
}
let drawn = 0
/** A new person's browser at a page of the business with this body. */
const open = async (body: string, { headers = {}, prepare }: Given = {}): Promise<Page> => {
  const path = `/${++drawn}`
  pages.set(path, { body: `<!doctype html><html lang="en">${body}</html>`, headers })
  const page = await (await browser.newContext({ locale: 'en-US' })).newPage()
  await prepare?.(page)
  await page.goto(`${host}${path}`)
  return page
}

/** What `npm run sdk` prints for this cluster. */
const printed = async (): Promise<string> => {
  const args = ['scripts/sdk.ts', '--origin', origin]
  return (await promisify(execFile)(process.execPath, args, { cwd: root, env: plainEnv() })).stdout
}
const withElement = () => `
  <script type="module" src="${origin}/saoma-login.js"></script>
  <saoma-login origin="${origin}"></saoma-login>`
const shown = (page: Page) => page.locator('saoma-login img').waitFor()
const headline = (page: Page, text: string) => page.locator('saoma-login .headline', { hasText: text }).waitFor()
const logIn = async (page: Page, name: string) => {
  await shown(page)
  const ticket = await page.evaluate<string>("document.querySelector('saoma-login').state.ticket")
  const phone = await phoneToken(origin, name)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
}
/** Resolves when the page has put that word into `heard`. */
const hears = (page: Page, word: string) =>
  page.waitForFunction((wanted) => Reflect.get(globalThis, 'heard').includes(wanted), word)
/** Makes the SDK `sdk` for `evaluate`, and the element `element`. */
const inHand = () => `${withElement()}
  <script type="module">
    import * as sdk from '${sdk}'
    Object.assign(window, { sdk, element: document.querySelector('saoma-login') })
  </script>`

test('a page without a build logs in, and follows the person’s own channel, under a strict policy', async () => {
  const policy = [
    "default-src 'none'",
    `script-src ${origin} 'nonce-${NONCE}'`,
    `connect-src ${origin} ${origin.replace('http', 'ws')}`,
    'img-src data: blob:',
    "require-trusted-types-for 'script'",
    'trusted-types lit-html',
  ].join('; ')
  const problems: string[] = []
  const body = `${await printed()}${withElement().replace('<saoma-login', '<saoma-login remember')}
    <script type="module">
      import { createLive, createSession } from '${sdk}'
      const element = document.querySelector('saoma-login')
      const session = createSession({ origin: '${origin}' })
      element.session = session
      window.heard = []
      element.addEventListener('saoma-login', () => {
        window.person = session.claims
        const own = createLive({ origin: '${origin}', token: session }).channel('@user')
        own.on('state', (state) => heard.push(state))
        own.on('message', ({ event, data }) => heard.push(event + ' ' + data.id))
      })
    </script>`
  const page = await open(body.replaceAll('<script', `<script nonce="${NONCE}"`), {
    headers: { 'content-security-policy': policy },
    prepare: async (one) => one.on('console', (line) => void (line.type() === 'error' && problems.push(line.text()))),
  })
  const box = page.getByRole('checkbox', { name: 'Remember this browser' })
  await box.check()
  expect(await box.locator('..').evaluate((label) => getComputedStyle(label).display)).toBe('grid')
  await logIn(page, 'Ada Lovelace')
  await hears(page, 'live')
  expect(await page.evaluate(`localStorage.getItem('saoma:known:${origin}')`)).toContain('"name":"Ada Lovelace"')
  const person = await page.evaluate<{ sub: string; name?: string }>('person')
  expect(person.name).toBe('Ada Lovelace')
  const sent = await publish(origin, { channel: `user:${person.sub}`, event: 'order', data: { id: 7 } })
  expect(sent.status).toBe(200)
  await hears(page, 'order 7')
  // The browser asks by itself for an icon, which the policy has no word for.
  expect(problems.filter((text) => !text.includes('favicon'))).toEqual([])
})

test.each([
  ['the file of the hash runs', { map: true, tag: true }, ['imported', 'loaded']],
  ['the tag refuses other bytes', { tag: false }, ['refused']],
  ['the import map refuses other bytes', { map: false }, ['not imported']],
  ['both refuse other bytes', { map: false, tag: false }, ['not imported', 'refused']],
])('Subresource Integrity: %s', async (_, { map, tag }: { map?: boolean; tag?: boolean }, outcome) => {
  const hash = (isRight: boolean) =>
    isRight ? integrity : `sha384-${createHash('sha384').update('other bytes').digest('base64')}`
  const page = await open(`
    <script>window.outcome = []</script>
    ${map === undefined ? '' : `<script type="importmap">{ "integrity": { "${sdk}": "${hash(map)}" } }</script>`}
    ${
      tag === undefined
        ? ''
        : `<script type="module" src="${sdk}" integrity="${hash(tag)}" crossorigin
             onload="outcome.push('loaded')" onerror="outcome.push('refused')"></script>`
    }
    ${
      map === undefined
        ? ''
        : `<script type="module" onerror="outcome.push('not imported')">
             import { createSession } from '${sdk}'
             outcome.push(createSession ? 'imported' : 'nothing imported')
           </script>`
    }`)
  await page.waitForFunction((count) => Reflect.get(globalThis, 'outcome').length === count, outcome.length)
  expect((await page.evaluate<string[]>('outcome')).toSorted()).toEqual(outcome)
})

test('the hosted file is named by its bytes, immutable, and open to pages of every origin', async () => {
  const { status, headers, body } = await request<string>(sdk, { headers: { origin: 'https://anywhere.example' } })
  expect(status).toBe(200)
  expect(Object.fromEntries(headers)).toMatchObject({
    'access-control-allow-origin': '*',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-type': expect.stringMatching(/^(text|application)\/javascript/),
    'cross-origin-resource-policy': 'cross-origin',
  })
  const digest = (algorithm: string) => createHash(algorithm).update(body)
  expect(told.version).toMatch(/^\d+\.\d+\.\d+-[0-9a-f]{8}$/)
  expect(told.version.endsWith(digest('sha256').digest('hex').slice(0, 8))).toBe(true)
  expect(told.paths.sdk).toBe(`/sdk/${told.version}/saoma.js`)
  expect(integrity).toBe(`sha384-${digest('sha384').digest('base64')}`)
  // All of it is covered by the hash: it loads no other file.
  expect(body).not.toMatch(/["'`]\.{1,2}\//)

  const version = await request(`${origin}/sdk/version.json`)
  expect(version.headers.get('cache-control')).toBe('no-cache')
  expect(version.headers.get('access-control-allow-origin')).toBe('*')
  const unknown = await request(`${origin}/sdk/0.0.1-00000000/saoma.js`)
  expect(unknown).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  expect(unknown.headers.get('access-control-allow-origin')).toBe('*')
})

test('Socket.IO’s client is asked for after the code', async () => {
  const asked: string[] = []
  const page = await open(withElement(), {
    prepare: async (one) => one.on('request', (each) => asked.push(new URL(each.url()).pathname)),
  })
  await shown(page)
  const isPart = (path: string) => path.startsWith('/sdk/parts/')
  await until(
    () => Promise.resolve(asked),
    (paths) => paths.some(isPart),
  )
  expect(asked).toContain('/oidc/device/auth')
  expect(asked.findIndex(isPart)).toBeGreaterThan(asked.indexOf('/oidc/device/auth'))
  const { headers } = await request(`${origin}${asked.find(isPart)}`)
  expect(headers.get('cache-control')).toContain('immutable')
  expect(headers.get('access-control-allow-origin')).toBe('*')
})

test('the element logs in without Socket.IO’s client', async () => {
  const page = await open(withElement(), { prepare: (one) => one.route('**/sdk/parts/**', (route) => route.abort()) })
  await logIn(page, 'Grace')
  await headline(page, 'You are logged in')
})

test('a session that is set after the login gets its tokens, and a second one does not', async () => {
  const page = await open(inHand())
  await logIn(page, 'Grace')
  await headline(page, 'You are logged in')
  const named = (name: string) =>
    page.evaluate(`(async () => {
      const session = sdk.createSession({ origin: '${origin}', storage: sdk.createMemoryStorage() })
      window.last = element.session = session
      await element.updateComplete
      return '${name} ' + session.claims?.name
    })()`)
  expect(await named('first')).toBe('first Grace')
  expect(await named('second')).toBe('second undefined')
  // The same element again, for the next person.
  await page.evaluate('element.renew()')
  await logIn(page, 'Ada Lovelace')
  await headline(page, 'You are logged in')
  expect(await page.evaluate('last.claims.name')).toBe('Ada Lovelace')
  expect(await named('third')).toBe('third undefined')
})

test.each([
  ['origin', () => "{ origin: 'https://other.example' }"],
  ['client', () => `{ origin: '${origin}', clientId: 'shop' }`],
])('a session of another %s is refused on the card and in the console, until one fits', async (_, options) => {
  const errors: string[] = []
  const page = await open(inHand(), {
    prepare: async (one) => one.on('console', (line) => void (line.type() === 'error' && errors.push(line.text()))),
  })
  await shown(page)
  await page.evaluate(`void (element.session = sdk.createSession(${options()}))`)
  await headline(page, 'This page is not set up correctly')
  await page.locator('saoma-login').getByText('Reason: SESSION_MISMATCH').waitFor()
  expect(await page.locator('saoma-login button').count()).toBe(0)
  expect(await page.evaluate('element.state')).toMatchObject({ status: 'failed', react: 'stop' })
  const both = /^Saoma: The session of <saoma-login> is of http.+ logs in at http/
  expect(errors).toEqual(expect.arrayContaining([expect.stringMatching(both)]))
  // A slash at the end is no difference.
  await page.evaluate(`void (element.session = sdk.createSession({ origin: '${origin}/' }))`)
  await logIn(page, 'Grace')
  await headline(page, 'You are logged in')
  expect(await page.evaluate('element.session.claims.name')).toBe('Grace')
})
