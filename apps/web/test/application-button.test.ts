import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SaomaLogin } from '@saoma/client/element'
import {
  type Cluster,
  confirm,
  ensurePage,
  type HostedPage,
  launchBrowser,
  onCleanup,
  pageFolder,
  phoneToken,
  plainEnv,
  reject,
  runShell,
  scan,
  startCluster,
  startHost,
} from '@saoma/testing'
import { documentedCode } from './documented-code.ts'
import { type Browser, mobile, type Page, scanned, ticketOn } from './people.ts'

/*
 * `<saoma-login client-id="…">` on the pages of a registered application: another origin, a strict policy.
 */

const files = new Map<string, HostedPage>()
const root = fileURLToPath(new URL('../../../', import.meta.url))
/** What the page of the documentation has: the element, the callback page, and the registration. */
const codeOf = (origin: string): string[] =>
  documentedCode(origin, 'docs/login.md', 'On the pages of an application', 3).map((code) =>
    code.replaceAll('https://club.example.com', club),
  )
/** Runs the command of the page, with one more address. Resolves with the file that it writes. */
const register = async (command: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-button-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const saoma = `${process.execPath} ${join(root, 'apps/gateway/src/bin/client.ts')}`
  const whole = `${command.trim().replace('saoma client', saoma)} --redirect ${club}/own --file clients.json`
  await runShell(whole, { cwd: folder, env: plainEnv() })
  return readFile(join(folder, 'clients.json'), 'utf8')
}

let club: string
let stranger: string
let cluster: Cluster
let browser: Browser

beforeAll(async () => {
  await ensurePage(() => {})
  ;[club, stranger] = await Promise.all([startHost(files), startHost(files)])
  const clients = await register(codeOf(club)[2] ?? '')
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_WEB_ROOT: pageFolder, SAOMA_CLIENTS: clients, SAOMA_LIMIT_CODES: '10000' },
  })
  const { origin } = cluster
  const policy = [
    "default-src 'none'",
    `script-src 'self' ${origin}`,
    `connect-src ${origin}`,
    "require-trusted-types-for 'script'",
    'trusted-types lit-html',
  ].join('; ')
  const [element = '', callback = ''] = codeOf(origin)
  const page = (attributes: string) => ({
    headers: { 'content-security-policy': policy },
    body: `<!doctype html><html lang="en"><script type="module" src="/app.js"></script>
      <saoma-login origin="${origin}" client-id="club" ${attributes}></saoma-login></html>`,
  })
  files.set('/app.js', {
    headers: { 'content-type': 'text/javascript' },
    body: `import { createSession } from '${origin}/saoma-login.js'
      const element = document.querySelector('saoma-login')
      const dpop = location.pathname === '/bound'
      const session = createSession({ origin: '${origin}', clientId: 'club', dpop })
      const heard = []
      element.addEventListener('saoma-login', () => heard.push('login'))
      Object.assign(window, { session, element, heard })
      element.session = session`,
  })
  files.set('/window', page(`redirect-uri="${club}/callback" mode="popup"`))
  files.set('/tab', page(`redirect-uri="${club}/callback" mode="redirect"`))
  files.set('/bound', page(`redirect-uri="${club}/callback" mode="popup"`))
  files.set('/usual', {
    ...page(''),
    body: `<!doctype html><html lang="en">${element}<script type="module" src="/app.js"></script></html>`,
  })
  files.set('/own', page('mode="popup"'))
  files.set('/callback', {
    headers: { 'content-security-policy': `default-src 'none'; script-src ${origin}` },
    body: `<!doctype html>${callback}`,
  })
  browser = await launchBrowser()
}, 90_000)

/** What the pages complained of: exceptions, and what their own policy forbade. */
const complaints: string[] = []
afterEach(() => expect(complaints.splice(0)).toEqual([]))

const open = async (path: string, { at = club, device = {}, prepare }: Given = {}): Promise<Page> => {
  const context = await browser.newContext({ locale: 'en-US', ...device })
  context.on('page', (one) => {
    one.on('pageerror', (error) => complaints.push(String(error)))
    one.on('console', (line) => {
      if (/content security policy/i.test(line.text()) && !line.text().includes('favicon')) complaints.push(line.text())
    })
  })
  const page = await context.newPage()
  await prepare?.(page)
  await page.goto(`${at}${path}`)
  return page
}
interface Given {
  at?: string
  device?: object
  prepare?: (page: Page) => Promise<unknown>
}
const button = (page: Page, name = 'Log in by scanning') => page.getByRole('button', { name })
const headline = (page: Page, text: string) => page.locator('saoma-login .headline', { hasText: text }).waitFor()
const openedBy = async (page: Page, name?: string): Promise<Page> => {
  const [popup] = await Promise.all([page.waitForEvent('popup'), button(page, name).click()])
  return popup
}
/** Scans on the login page, and allows the application what it asks for. */
const approve = async (page: Page, name: string): Promise<void> => {
  const ticket = await ticketOn(page)
  const token = await phoneToken(cluster.origin, name)
  await scan(cluster.origin, ticket, token)
  await confirm(cluster.origin, ticket, token)
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
}
/** What the page knows afterwards. */
const known = (page: Page) =>
  page.evaluate(async () => {
    const { session, heard } = window as unknown as {
      session: {
        claims?: { name?: string; aud?: string }
        refresh(): Promise<{ ok: boolean }>
        userinfo(): Promise<{ ok: boolean; value?: { name?: string } }>
      }
      heard: string[]
    }
    const { name, aud } = session.claims ?? {}
    const isFresh = (await session.refresh()).ok
    const person = await session.userinfo()
    return { heard, name, aud, isFresh, person: person.value?.name }
  })
const knows = (name: string) => ({ heard: ['login'], name, aud: 'club', isFresh: true, person: name })

test('a window has the login page, and closes when the person is in', async () => {
  const page = await open('/window')
  const popup = await openedBy(page)
  await headline(page, 'Go on in the other window')
  await popup.getByRole('heading', { name: 'Log in to The club' }).waitFor()
  const gone = popup.waitForEvent('close')
  await approve(popup, 'Ada')
  await gone
  await headline(page, 'You are logged in')
  expect(await known(page)).toEqual(knows('Ada'))
  expect(new URL(page.url()).search).toBe('')
})

test('a tab goes there and comes back, and so does a phone by itself', async () => {
  for (const [path, device] of [
    ['/tab', {}],
    ['/usual', { ...mobile, isMobile: true }],
  ] as const) {
    const page = await open(path, { device })
    await button(page).click()
    await approve(page, 'Ben')
    await page.waitForURL(`${club}${path}`)
    await headline(page, 'You are logged in')
    expect(await known(page)).toEqual(knows('Ben'))
    // The answer is used up: a reload logs nobody in.
    await page.reload()
    await button(page).waitFor()
    await page.context().close()
  }
})

test('who comes back to a page whose own script is late is not heard of before it', async () => {
  const page = await open('/usual', { device: { ...mobile, isMobile: true } })
  await button(page).click()
  const late = Promise.withResolvers<void>()
  await page.route('**/app.js', async (route) => {
    await late.promise
    await route.continue()
  })
  const redeemed: string[] = []
  page.on('request', (request) => {
    if (request.url().endsWith('/oidc/token') && request.frame().url().startsWith(club)) redeemed.push(request.url())
  })
  await approve(page, 'Cleo')
  await page.waitForURL(`${club}/usual`, { waitUntil: 'commit' })
  // The element has begun: it shows its button.
  await button(page).waitFor()
  expect(redeemed).toEqual([])
  late.resolve()
  await headline(page, 'You are logged in')
  expect(redeemed).toHaveLength(1)
  expect(await known(page)).toEqual(knows('Cleo'))
})

test('where the browser opens no window the tab goes there', async () => {
  const page = await open('/window', {
    prepare: (one) =>
      one.addInitScript(() => {
        window.open = () => null
      }),
  })
  await button(page).click()
  await approve(page, 'Cleo')
  await page.waitForURL(`${club}/window`)
  await headline(page, 'You are logged in')
  expect(await known(page)).toEqual(knows('Cleo'))
})

test('a window that is closed is told, and the next one works', async () => {
  const page = await open('/window')
  await (await openedBy(page)).close()
  await headline(page, 'The window was closed')
  await page.getByText('Reason: WINDOW_CLOSED').waitFor()
  await approve(await openedBy(page, 'Try again'), 'Dan')
  await headline(page, 'You are logged in')
})

test('whoever declines, or cancels, is not logged in and may try again', async () => {
  const page = await open('/window')
  const popup = await openedBy(page)
  const ticket = await ticketOn(popup)
  const token = await phoneToken(cluster.origin, 'Eve')
  await scan(cluster.origin, ticket, token)
  await reject(cluster.origin, ticket, token)
  await popup.getByRole('button', { name: 'Cancel, back to The club' }).click()
  await headline(page, 'The login was declined')
  await approve(await openedBy(page, 'Try again'), 'Eve')
  await headline(page, 'You are logged in')
})

test('the page with the element may be its own callback page', async () => {
  const page = await open('/own')
  const popup = await openedBy(page)
  const gone = popup.waitForEvent('close')
  await approve(popup, 'Fay')
  await gone
  await headline(page, 'You are logged in')
  expect(await known(page)).toEqual(knows('Fay'))
})

test('a session that binds its tokens gets bound ones, and without a key nobody begins to log in', async () => {
  const page = await open('/bound')
  await approve(await openedBy(page), 'Gus')
  await headline(page, 'You are logged in')
  expect(await page.evaluate('session.tokens.token_type')).toBe('DPoP')
  expect(await known(page)).toEqual(knows('Gus'))
  const keyless = await open('/bound', {
    prepare: (one) =>
      one.addInitScript(() => {
        Object.defineProperty(indexedDB, 'open', {
          value: () => {
            throw new Error('no')
          },
        })
      }),
  })
  const popup = await openedBy(keyless)
  if (!popup.isClosed()) await popup.waitForEvent('close')
  await headline(keyless, 'cannot keep the key')
})

test('answers of others are not taken: another state, another issuer, another nonce', async () => {
  /** Begins a login whose window goes nowhere. Resolves with what it would have asked for. */
  const begin = async (page: Page) => {
    await page.evaluate(() => {
      const asked: string[] = []
      const fake = { closed: false, close: () => {}, location: { replace: (url: string) => asked.push(url) } }
      Object.assign(window, { asked, open: () => fake })
    })
    await button(page).click()
    await headline(page, 'Go on in the other window')
    const [url = ''] = await page.evaluate(() => (window as unknown as { asked: string[] }).asked)
    return new URL(url).searchParams
  }
  const tell = (page: Page, answer: object) =>
    page.evaluate((data) => new BroadcastChannel('saoma:code-login').postMessage(data), answer)
  const statusOf = (page: Page) => page.locator('saoma-login').evaluate((one: SaomaLogin) => one.state)

  const page = await open('/window')
  const query = await begin(page)
  expect(Object.fromEntries(query)).toMatchObject({
    response_type: 'code',
    client_id: 'club',
    redirect_uri: `${club}/callback`,
    code_challenge_method: 'S256',
    ui_locales: 'en',
  })
  const iss = `${cluster.origin}/oidc`
  await tell(page, { state: 'saoma.window.another', code: 'c', iss })
  await page.evaluate((data) => window.postMessage(data, location.origin), { state: 'saoma.x', code: 'c', iss })
  // The channel keeps the order, so the former was heard.
  await tell(page, { state: query.get('state'), code: 'c', iss: 'https://evil.example.com/oidc' })
  await headline(page, 'Something went wrong')
  expect(await statusOf(page)).toMatchObject({ status: 'failed', code: 'MALFORMED' })

  const other = await open('/window', {
    prepare: (one) =>
      one.route('**/oidc/token', (route) => {
        const claims = { iss, aud: 'club', sub: 'x', exp: Math.floor(Date.now() / 1000) + 60, nonce: 'another' }
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
        return route.fulfill({
          headers: { 'access-control-allow-origin': club },
          json: {
            ...{ access_token: 'a', token_type: 'Bearer', expires_in: 600 },
            id_token: `${part({ alg: 'none' })}.${part(claims)}.`,
          },
        })
      }),
  })
  await tell(other, { state: (await begin(other)).get('state'), code: 'c', iss })
  await headline(other, 'Something went wrong')
  expect(await statusOf(other)).toMatchObject({ status: 'failed', message: expect.stringContaining('nonce') })
  expect(await other.evaluate(() => (window as unknown as { heard: string[] }).heard)).toEqual([])
})

test('a page of another origin is told what to add, and where', async () => {
  const page = await open('/window', { at: stranger })
  const popup = await openedBy(page)
  // Its redirect address is of the club, so nothing comes back here.
  await scanned(popup)
  await popup.close()
  const refused = await page.evaluate(async (token) => {
    const answer = await fetch(token, { method: 'POST', body: new URLSearchParams({ client_id: 'club' }) })
    return [answer.status, await answer.json()] as const
  }, `${cluster.origin}/oidc/token`)
  expect(refused).toEqual([
    403,
    expect.objectContaining({
      code: 'ORIGIN_NOT_ALLOWED',
      detail: expect.stringMatching(
        new RegExp(
          `SAOMA_ALLOWED_ORIGINS does not name ${stranger}.*type public, with a redirect address of this origin`,
        ),
      ),
    }),
  ])
})
