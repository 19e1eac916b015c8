import { bearerOf, createVerifier } from '@saoma/client/server'
import {
  confirm,
  documented,
  ensurePage,
  type HostedPage,
  launchBrowser,
  pageFolder,
  phoneToken,
  publish,
  request,
  scan,
  startCluster,
  startHost,
} from '@saoma/testing'

/*
 * Tokens that are bound to a key of the browser, on a page of another origin that uses the hosted SDK.
 */

const [ofPage, ofBackend] = documented('docs/login.md', 'Bind the tokens to the browser')

type Browser = Awaited<ReturnType<typeof launchBrowser>>
type Page = Awaited<ReturnType<Browser['newPage']>>

const pages = new Map<string, HostedPage>()
let origin: string
let host: string
let browser: Browser

beforeAll(async () => {
  await ensurePage(() => {})
  host = await startHost(pages)
  ;({ origin } = await startCluster({ env: { SAOMA_WEB_ROOT: pageFolder, SAOMA_ALLOWED_ORIGINS: host } }))
  browser = await launchBrowser()
  const sdk = (await request<{ paths: { sdk: string } }>(`${origin}/sdk/version.json`)).body.paths.sdk
  const body = (code = '') => `<!doctype html><html lang="en">
    <script type="module" src="${origin}/saoma-login.js"></script>
    <saoma-login origin="${origin}"></saoma-login>
    <script type="module">
      import * as sdk from '${origin}${sdk}'
      const { createSession } = sdk
      const origin = '${origin}'
      ${code}
      Object.assign(window, { sdk, session, element: document.querySelector('saoma-login') })
    </script></html>`
  pages.set('/true', { body: body(ofPage?.code) })
  for (const dpop of ['false', "'if-possible'"])
    pages.set(`/${dpop.replaceAll("'", '')}`, { body: body(ofPage?.code.replace('dpop: true', `dpop: ${dpop}`)) })
}, 90_000)

const open = async (dpop: string, prepare: (page: Page) => Promise<unknown> = async () => {}) => {
  const page = await (await browser.newContext({ locale: 'en-US' })).newPage()
  await prepare(page)
  await page.goto(`${host}/${dpop}`)
  return page
}
const logIn = async (page: Page, name: string) => {
  await page.locator('saoma-login img').waitFor()
  const ticket = await page.evaluate<string>('element.state.ticket')
  const phone = await phoneToken(origin, name)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
  await page.waitForFunction('Boolean(session.tokens)')
  return page.evaluate<{ token_type: string; access_token: string; refresh_token: string }>('session.tokens')
}

test('a page binds its login, refreshes, follows and lists with it, also after a reload', async () => {
  const page = await open('true')
  const tokens = await logIn(page, 'Ada Lovelace')
  expect(tokens.token_type).toBe('DPoP')
  const work = async () => {
    expect(await page.evaluate('session.refresh().then(({ ok }) => ok)')).toBe(true)
    expect(await page.evaluate('session.userinfo().then(({ value }) => value.name)')).toBe('Ada Lovelace')
    const devices =
      'sdk.createDevices({ origin: session.origin, token: session.accessToken }).list().then(({ ok }) => ok)'
    expect(await page.evaluate(devices)).toBe(true)
    for (const door of ['socket', 'stream', 'poll']) {
      const user = await page.evaluate<string>('session.claims.sub')
      const heard = page.evaluate<string>(`new Promise((resolve) => {
        const live = sdk.createLive({ origin: session.origin, token: session, doors: ['${door}'], shared: false })
        const own = live.channel('@user', { history: 0 })
        own.on('message', ({ data }) => { live.close(); resolve(data.door) })
        own.on('state', (state) => { if (state === 'live') document.title = '${door}' })
      })`)
      await page.waitForFunction(`document.title === '${door}'`)
      await publish(origin, { channel: `user:${user}`, event: 'told', data: { door } })
      expect(await heard).toBe(door)
    }
  }
  await work()
  // A backend of the page's own.
  const verifier = createVerifier({ origin })
  const url = `${host}/orders?page=2`
  const headers = await page.evaluate<Record<string, string>>(
    `session.authorize({ method: 'GET', url: '${url}' }).then(({ value }) => value)`,
  )
  const token = bearerOf(headers.authorization)
  const told = { dpop: headers.dpop, method: 'GET', url }
  for (const wrong of [undefined, { ...told, method: 'POST' }, { ...told, url: `${host}/others` }])
    expect(await verifier.verify(token, wrong)).toMatchObject({ code: wrong ? 'PROOF_WRONG' : 'PROOF_MISSING' })
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => (...given: unknown[]) => unknown
  const code = `${ofBackend?.code.replace('https://shop.example.com', host)}\nreturn verified`
  const judge = new AsyncFunction('request', 'verifier', 'bearerOf', code)
  const incoming = { headers, method: 'GET', url: '/orders?page=2' }
  expect(await judge(incoming, verifier, bearerOf)).toMatchObject({ ok: true, value: { client_id: 'web' } })
  expect(await verifier.verify(token, told)).toMatchObject({ code: 'PROOF_WRONG' })
  await page.reload()
  await page.waitForFunction('Boolean(window.session?.tokens)')
  await work()
  // A page that does not ask for it any more goes on with what it has.
  await page.goto(`${host}/false`)
  await page.waitForFunction('Boolean(window.session?.tokens)')
  expect(await page.evaluate('session.refresh().then(({ ok }) => ok)')).toBe(true)
  expect(await page.evaluate('session.tokens.token_type')).toBe('DPoP')
})

test('what a script steals from the storage is worth nothing on another machine', async () => {
  const page = await open('true')
  const tokens = await logIn(page, 'Han Meimei')
  const stored = await page.evaluate<string>('JSON.stringify(localStorage)')
  const thief = await open('true')
  await thief.evaluate((text) => {
    for (const [name, value] of Object.entries(JSON.parse(text))) localStorage.setItem(name, String(value))
  }, stored)
  await thief.reload()
  await thief.waitForFunction('Boolean(window.session?.tokens)')
  expect(await thief.evaluate('session.userinfo().then(({ code }) => code)')).toBe('UNAUTHORIZED')
  expect(await thief.evaluate('session.refresh().then(({ code }) => code)')).toBe('invalid_grant')
  const bearer = await request(`${origin}/v1/sessions`, { bearer: tokens.access_token })
  expect(bearer.status).toBe(401)
  // The owner goes on. And no script reads the key.
  expect(await page.evaluate('session.refresh().then(({ ok }) => ok)')).toBe(true)
  const exported = `new Promise((resolve) => {
    indexedDB.open('saoma').onsuccess = ({ target }) => {
      target.result.transaction('keys').objectStore('keys').getAll().onsuccess = ({ target: { result: [pair] } }) =>
        crypto.subtle.exportKey('jwk', pair.privateKey).then(() => resolve('read'), ({ name }) => resolve(name))
    }
  })`
  expect(await page.evaluate(exported)).toBe('InvalidAccessError')
})

describe('a browser that keeps no keys', () => {
  const without = (page: Page) =>
    page.addInitScript(() => {
      Object.defineProperty(indexedDB, 'open', {
        value: () => {
          throw new DOMException('no', 'SecurityError')
        },
      })
    })

  test('shows no code where keys are demanded, and says why', async () => {
    const page = await open('true', without)
    // The element may have begun before it got its session. Then it says so at the next code.
    await page.evaluate('element.renew()')
    await page.locator('saoma-login .card.failed').waitFor()
    expect(await page.evaluate('element.state.code')).toBe('KEY_UNAVAILABLE')
    expect(await page.locator('saoma-login .headline').textContent()).toContain('cannot keep the key')
  })

  test('does without where they are not', async () => {
    const page = await open('if-possible', without)
    expect((await logIn(page, 'Li Lei')).token_type).toBe('Bearer')
    expect(await page.evaluate('session.refresh().then(({ ok }) => ok)')).toBe(true)
  })
})
