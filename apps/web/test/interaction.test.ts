import { createHash } from 'node:crypto'
import { phoneToken, reject, request, scan } from '@saoma/testing'
import { card, desktop, mobile, type Page, scanned, ticketOn } from './people.ts'
import { createStage } from './stage.ts'

const SECRET = 'a-secret-of-a-test-with-many-characters-0'
const sha256 = (text: string, encoding: 'hex' | 'base64url') => createHash('sha256').update(text).digest(encoding)
const verifier = 'v'.repeat(43)
const WIKI = 'https://wiki.example.com/callback'
const BYE = 'https://wiki.example.com/bye'
const GUEST = 'https://guest.example.com/callback'

const clients = JSON.stringify([
  {
    client_id: 'wiki',
    client_name: 'Wiki',
    logo_uri: 'https://wiki.example.com/logo.svg',
    type: 'confidential',
    party: 'first',
    redirect_uris: [WIKI],
    post_logout_redirect_uris: [BYE],
    secret_sha256: sha256(SECRET, 'hex'),
  },
  {
    client_id: 'guest',
    client_name: 'Guest book',
    type: 'confidential',
    redirect_uris: [GUEST],
    secret_sha256: sha256(SECRET, 'hex'),
  },
])

const stage = createStage({ env: { SAOMA_CLIENTS: clients } })
const { approve } = stage

const address = (client_id: string, redirect_uri: string, more: Record<string, string> = {}) =>
  `/oidc/auth?${new URLSearchParams({
    client_id,
    redirect_uri,
    response_type: 'code',
    scope: 'openid profile',
    state: 'the-state',
    code_challenge: sha256(verifier, 'base64url'),
    code_challenge_method: 'S256',
    ...more,
  })}`

/**
 * A browser that asks an application's page for a login. The application itself is not there: its answers
 * are.
 */
const open = (path: string, device = desktop): Promise<Page> =>
  stage.open(path, device, (page) =>
    page.route(/^https:\/\/(wiki|guest)\.example\.com\//, (route) =>
      route.request().url().endsWith('.svg')
        ? route.fulfill({ contentType: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg"/>' })
        : route.fulfill({
            contentType: 'text/html',
            body: `<h1>Welcome</h1><pre>${route.request().postData() ?? ''}</pre>`,
          }),
    ),
  )
const welcome = (page: Page) => page.getByRole('heading', { name: 'Welcome' }).waitFor()
/** The person of the code with which a page came back. */
const personOf = async (page: Page, client_id: string, redirect_uri: string) => {
  const code = new URL(page.url()).searchParams.get('code') ?? ''
  const { body } = await request<{ id_token: string }>(`${stage.origin}/oidc/token`, {
    form: {
      grant_type: 'authorization_code',
      code,
      redirect_uri,
      code_verifier: verifier,
      client_id,
      client_secret: SECRET,
    },
  })
  return JSON.parse(Buffer.from(body.id_token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
}

test('page and phone name the application, and the person returns to it', async () => {
  const page = await open(address('wiki', WIKI))
  await page.getByRole('heading', { name: 'Log in to Wiki' }).waitFor()
  expect(await page.locator('.application img').getAttribute('src')).toBe('https://wiki.example.com/logo.svg')
  const headers = (await page.request.get(page.url())).headers()
  expect([headers['x-frame-options'], headers['content-security-policy']]).toEqual([
    'DENY',
    expect.stringContaining("frame-ancestors 'none'"),
  ])
  expect(await approve(page, 'Ada')).toMatchObject({ request: { app: 'Wiki' } })
  await welcome(page)
  expect(await personOf(page, 'wiki', WIKI)).toMatchObject({ name: 'Ada', aud: 'wiki' })
  // Now nobody has to scan.
  const again = await page.request.get(stage.origin + address('wiki', WIKI), { maxRedirects: 0 })
  expect(again.headers().location).toMatch(/^https:\/\/wiki\.example\.com\/callback\?code=/)
})

test('the page survives a reload, a declined scan and a cancel', async () => {
  const page = await open(address('wiki', WIKI))
  const first = await ticketOn(page)
  await page.reload()
  expect(await ticketOn(page)).toBe(first)
  const token = await phoneToken(stage.origin, 'Ben')
  await scan(stage.origin, first, token)
  await reject(stage.origin, first, token)
  await card(page, 'rejected').waitFor()
  await page.getByRole('button', { name: 'Cancel, back to Wiki' }).click()
  await welcome(page)
  expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied')
})

test('an application of somebody else asks before it knows anything', async () => {
  const page = await open(address('guest', GUEST))
  await approve(page, 'Cleo')
  await page.getByRole('heading', { name: 'Guest book wants to know who you are' }).waitFor()
  await page.getByText('your name, your picture and your language').waitFor()
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
  await welcome(page)
  expect(await personOf(page, 'guest', GUEST)).toMatchObject({ name: 'Cleo' })
})

test('another person at the same browser gets in, and the former one is out', async () => {
  const page = await open(address('wiki', WIKI))
  await approve(page, 'Dan')
  await welcome(page)
  await page.goto(stage.origin + address('wiki', WIKI, { prompt: 'login' }))
  await approve(page, 'Eve')
  await welcome(page)
  expect(await personOf(page, 'wiki', WIKI)).toMatchObject({ name: 'Eve' })
  const dan = await phoneToken(stage.origin, 'Dan')
  const { body } = await request<{ sessions: unknown[] }>(`${stage.origin}/v1/sessions`, { bearer: dan })
  expect(body.sessions).toEqual([])
})

test('the page of a logout asks, says who wants it, and leads back', async () => {
  const page = await open(address('wiki', WIKI))
  await approve(page, 'Gil')
  await welcome(page)
  const logout = `/oidc/session/end?${new URLSearchParams({ client_id: 'wiki', post_logout_redirect_uri: BYE, state: 's' })}`
  await page.goto(stage.origin + logout)
  await page.getByRole('heading', { name: 'Do you want to log out?' }).waitFor()
  await page.getByText('Wiki asks this.').waitFor()
  const headers = (await page.request.get(page.url())).headers()
  expect([headers['x-frame-options'], headers['content-security-policy']]).toEqual([
    'DENY',
    expect.stringContaining("frame-ancestors 'none'"),
  ])
  await page.getByRole('button', { name: 'Leave Wiki only' }).click()
  await welcome(page)
  expect(page.url()).toBe(`${BYE}?state=s`)
  // Whoever left one application is still logged in, and may enter it again.
  const again = await page.request.get(stage.origin + address('wiki', WIKI), { maxRedirects: 0 })
  expect(again.headers().location).toContain('code=')
  await page.goto(stage.origin + logout)
  await page.getByRole('button', { name: 'Log out', exact: true }).click()
  await welcome(page)
  expect(page.url()).toBe(`${BYE}?state=s`)
  const gil = await phoneToken(stage.origin, 'Gil')
  const { body } = await request<{ sessions: unknown[] }>(`${stage.origin}/v1/sessions`, { bearer: gil })
  expect(body.sessions).toEqual([])
  // Nobody is asked twice.
  await page.goto(stage.origin + logout)
  await welcome(page)
  await page.goto(`${stage.origin}/oidc/session/end`)
  await page.getByText('You are logged out.').waitFor()
  await page.goto(`${stage.origin}/oidc/logout`)
  await page.getByText('Nobody is logged in in this browser').waitFor()
})

test('form_post goes to the application under our policy', async () => {
  const page = await open(address('wiki', WIKI, { response_mode: 'form_post' }))
  await approve(page, 'Fay')
  await welcome(page)
  expect(await page.locator('pre').textContent()).toContain('state=the-state')
})

test('a page that was only given the address says that the login is not its own', async () => {
  const page = await open(address('wiki', WIKI))
  await scanned(page)
  const other = await open(new URL(page.url()).pathname, mobile)
  await other.getByText('This login is over, or it was begun in another browser.').waitFor()
})

test('the language that the application wishes is spoken', async () => {
  const page = await open(address('wiki', WIKI, { ui_locales: 'zh-CN en' }))
  await page.getByRole('heading', { name: '登录Wiki' }).waitFor()
})

test('an application that is not registered is refused by a page in words', async () => {
  const page = await open(address('nobody', WIKI))
  await page.getByRole('heading', { name: 'invalid_client' }).waitFor()
  await page.getByText('This login cannot go on.').waitFor()
})
