import type { Page } from 'playwright-core'
import { launchBrowser } from './browser.ts'
import { type BundleOptions, bundle } from './bundle.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { type ComponentPages, createComponentPages, type Plan } from './component-page.ts'
import { type Documented, documented } from './documented.ts'
import { type HostedPage, startHost } from './host.ts'
import { connectLive, publish, webToken } from './live.ts'
import { testApiKey } from './live-settings.ts'
import { confirm, phoneToken, scan } from './login.ts'
import { until } from './metrics.ts'
import { request } from './request.ts'
import { storageWith, storedLogin } from './stored-login.ts'

/** Our components in one framework. */
export interface ComponentFramework {
  /** Its heading in docs/login.md and docs/live.md: the code there is what the tests run. */
  heading: string
  /** How many effects run when a component is shown once: two under React's StrictMode. */
  effects: number
  /** Of the package. */
  folder: string
  define?: BundleOptions['define']
  /** Makes the sources of a page, which begins with `globalThis.show` of a `PlanPage`. */
  sourcesOf(login: Documented[], live: Documented[]): Record<string, string>
  /**
   * Renders in this process what `/greeting` hydrates in a browser: status, name, state, number of people and
   * of messages, and a login.
   */
  greet(origin: string): Promise<string>
}

/** Stands for Saoma in the documentation. */
const DOCUMENTED_ORIGIN = 'https://login.example.com'
const START_TIMEOUT_MS = 90_000
const CHANNEL = 'room:open-components'

const htmlWith = (content = ''): string =>
  `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"></head>` +
  `<body><div id="app">${content}</div><script type="module" src="/page.js"></script></body></html>`

/** What pages may expect of our components, in every framework. */
export const runComponentContract = (framework: ComponentFramework): void => {
  let cluster: Cluster
  const hosted = new Map<string, HostedPage>()
  let host: string
  let pages: ComponentPages
  let origin: string

  beforeAll(async () => {
    host = await startHost(hosted)
    cluster = await startCluster({ nodes: 2, env: { SAOMA_ALLOWED_ORIGINS: host } })
    origin = cluster.origin
    const codeOf = (page: string) =>
      documented(page, framework.heading).map(({ language, code }) => ({
        language,
        code: code.replaceAll(DOCUMENTED_ORIGIN, origin),
      }))
    const files = await bundle({
      folder: framework.folder,
      sources: framework.sourcesOf(codeOf('docs/login.md'), codeOf('docs/live.md')),
      ...(framework.define ? { define: framework.define } : {}),
    })
    for (const [path, body] of files) hosted.set(`/${path}`, { body, headers: { 'content-type': 'text/javascript' } })
    hosted.set('/', { body: htmlWith() })
    pages = createComponentPages(await launchBrowser())
  }, START_TIMEOUT_MS)

  afterEach(async () => expect(await pages.close()).toEqual([]))

  /** What a login of this person leaves in the browser. */
  const storedOf = async (name: string) => {
    const login = await storedLogin(origin, name)
    return { user: login.user, stored: storageWith(host, login) }
  }

  const open = async (plan: Plan, name?: string) => {
    const opened = await pages.open(`${host}/`, name ? (await storedOf(name)).stored : undefined)
    await opened.show(plan)
    return opened
  }

  const ticketOn = async (page: Page): Promise<string> => {
    await page.locator('saoma-login img').waitFor()
    return page
      .locator('saoma-login')
      .evaluate((element) => (element as unknown as { state: { ticket: string } }).state.ticket)
  }

  const loggedIn = (page: Page) => page.getByRole('button', { name: 'Log out' }).waitFor()

  const logIn = async (page: Page, name: string) => {
    const ticket = await ticketOn(page)
    const phone = await phoneToken(origin, name)
    await scan(origin, ticket, phone)
    await confirm(origin, ticket, phone)
    await loggedIn(page)
  }

  /** The bell with this count, once its channel is live. */
  const bell = (page: Page, text: string) => page.getByRole('button', { name: text, disabled: false })

  const table = (page: Page, n = 0) => page.locator('section').nth(n)
  const here = (page: Page, text: string, n = 0) => table(page, n).getByText(text, { exact: true }).waitFor()
  const isTold = (page: Page, text: string, n = 0) => table(page, n).locator('li', { hasText: text }).first().waitFor()
  const toldIn = (page: Page, n = 0) => table(page, n).locator('li').allTextContents()
  const say = (channel: string, text: string) => publish(origin, { channel, event: 'said', data: { text } })

  /** Waits until the server counts this many connections that follow. */
  const followed = (channel: string, wanted: number) =>
    until(
      async () => {
        const path = `/v1/channels/${encodeURIComponent(channel)}/presence`
        return (await request<{ connections: number }>(`${origin}${path}`, { bearer: testApiKey })).body.connections
      },
      (connections) => connections === wanted,
    )

  test('a login through the component reaches the session, its hook, and the next page', async () => {
    const { page } = await open({ account: true })
    await logIn(page, 'Polly')
    await page.getByText('Polly').waitFor()
    expect(await page.locator('saoma-login').count()).toBe(0)
    await page.reload()
    await page.evaluate('show({ account: true })')
    await page.getByText('Polly').waitFor()
  })

  test('the component tells of a login and of a failure', async () => {
    let isRefused = true
    const { page, show, read } = await pages.open(`${host}/`, undefined, (one) =>
      one.route('**/oidc/device/auth', (route) =>
        isRefused
          ? route.fulfill({
              status: 400,
              headers: { 'access-control-allow-origin': '*' },
              contentType: 'application/json',
              body: '{"error":"invalid_client"}',
            })
          : route.continue(),
      ),
    )
    await show({ login: true })
    await page.locator('saoma-login .card.failed').waitFor()
    expect(await read('told')).toEqual(['failure invalid_client'])
    isRefused = false
    await page.locator('saoma-login').evaluate((element) => (element as unknown as { renew(): void }).renew())
    const ticket = await ticketOn(page)
    const phone = await phoneToken(origin, 'Tess')
    await scan(origin, ticket, phone)
    await confirm(origin, ticket, phone)
    await page.locator('saoma-login .card.done').waitFor()
    expect(await read('told')).toEqual(['failure invalid_client', 'login'])
    await show({ account: true })
    await page.getByText('Tess').waitFor()
  })

  test('a login that is unmounted in the middle leaves no socket and no timer, and goes on later', async () => {
    const { page, show, sockets, timers } = await open({ account: true })
    const ticket = await ticketOn(page)
    await until(sockets, (open) => open === 1)
    const phone = await phoneToken(origin, 'Mia')
    await scan(origin, ticket, phone)
    await page.locator('saoma-login .card.scanned').waitFor()
    expect(await timers()).toBeGreaterThan(0)
    await show({})
    await until(sockets, (open) => open === 0)
    await until(timers, (running) => running === 0)
    await confirm(origin, ticket, phone)
    await show({ account: true })
    await loggedIn(page)
  })

  test('a message to the person arrives, is counted, and is marked as read', async () => {
    const { user } = await storedOf('Bea')
    const { page, read } = await open({ account: true, bell: true }, 'Bea')
    await bell(page, '0 new').waitFor()
    await publish(origin, { channel: `user:${user}`, event: 'order', data: { state: 'paid' } })
    await bell(page, '1 new').click()
    await bell(page, '0 new').waitFor()
    expect(await read('news')).toEqual([{ event: 'order', data: { state: 'paid' } }])
  })

  test('presence counts who comes and who leaves', async () => {
    const channel = `${CHANNEL}-presence`
    const { page } = await open({ tables: [channel] }, 'Pia')
    await here(page, '1 here')
    const other = connectLive(origin, { token: (await webToken(origin, 'Pit')).access_token })
    await other.next('connect')
    expect(await other.subscribe({ channel })).toMatchObject({ ok: true })
    await here(page, '2 here')
    other.close()
    await here(page, '1 here')
  })

  test('components of one channel make one follow, which ends with the last of them', async () => {
    const channel = `${CHANNEL}-two`
    const { page, show, sockets, sent, read } = await open({ tables: [channel, channel] }, 'Tom')
    await Promise.all([here(page, '1 here'), here(page, '1 here', 1)])
    // Mounted as often as the framework does.
    expect(await read('effects')).toBe(framework.effects)
    await table(page, 1).getByRole('button', { name: 'Say hello' }).click()
    await Promise.all([isTold(page, 'hello'), isTold(page, 'hello', 1)])
    // On a busy machine plain HTTP may be the first.
    await until(
      async () => sent('subscribe', channel),
      (count) => count > 0,
    )
    expect(sent('subscribe', channel)).toBe(1)

    await show({ tables: [channel] })
    await say(channel, 'to the other')
    await isTold(page, 'to the other')
    expect(await toldIn(page)).toEqual(['hello', 'to the other'])
    expect(sent('unsubscribe', channel)).toBe(0)

    await show({})
    await followed(channel, 0)
    await until(sockets, (open) => open === 0)

    await show({ tables: [channel] })
    await here(page, '1 here')
    await isTold(page, 'to the other')
    expect(await toldIn(page)).toEqual(['hello', 'to the other'])
  })

  test('a new name switches the channel', async () => {
    const [before, after] = [`${CHANNEL}-before`, `${CHANNEL}-after`]
    await say(after, 'earlier')
    const { page, show } = await open({ tables: [before] }, 'Sue')
    await here(page, '1 here')
    await say(before, 'one')
    await isTold(page, 'one')
    await show({ tables: [after] })
    await isTold(page, 'earlier')
    await Promise.all([followed(before, 0), followed(after, 1)])
    await say(before, 'not for this page')
    await say(after, 'two')
    await isTold(page, 'two')
    expect(await toldIn(page)).toEqual(['earlier', 'two'])
  })

  test('channels begin with a login, and a logout empties them', async () => {
    const channel = `${CHANNEL}-logout`
    const [first, second] = await Promise.all([webToken(origin, 'First'), webToken(origin, 'Second')])
    const tell = async (text: string) => {
      for (const { user } of [first, second]) await publish(origin, { channel: `user:${user}`, event: text, data: {} })
    }
    const { page, read } = await open({ account: true, tables: [channel], bell: true })
    const outside = () => here(page, '0 here, connecting…')
    await outside()
    await logIn(page, 'First')
    await here(page, '1 here')
    await bell(page, '0 new').waitFor()
    await tell('one')
    await say(channel, 'for who is logged in')
    await isTold(page, 'for who is logged in')
    await bell(page, '1 new').waitFor()

    await page.getByRole('button', { name: 'Log out' }).click()
    await outside()
    expect(await toldIn(page)).toEqual([])
    await page.getByRole('button', { name: '0 new', disabled: true }).waitFor()
    await Promise.all([followed(channel, 0), followed(`user:${first.user}`, 0)])

    await logIn(page, 'Second')
    await here(page, '1 here')
    await bell(page, '1 new').waitFor()
    await tell('two')
    await bell(page, '2 new').waitFor()
    expect(await read('news')).toEqual([
      { event: 'one', data: {} },
      { event: 'two', data: {} },
    ])
  })

  test('a server renders nobody’s page without a browser’s globals, and the browser hydrates it', async () => {
    const html = await framework.greet(origin)
    expect(html).toContain('unknown nobody idle 0 0')
    expect(html).toContain(`<saoma-login origin="${origin}"`)
    hosted.set('/greeting', { body: htmlWith(html) })
    const { stored } = await storedOf('Greta')
    const { page } = await pages.open(`${host}/greeting`, stored)
    await page.getByText('in Greta live 1 0').waitFor()
    await page.locator('saoma-login img').waitFor()
  })
}
