import {
  type Cluster,
  ensurePage,
  freePort,
  launchBrowser,
  onCleanup,
  pageFolder,
  shopSettings,
  startCluster,
  storageWith,
  storedLogin,
  until,
} from '@saoma/testing'
import type { Page } from './people.ts'

/** A browser opens six connections to a host. */
const TABS = 7

let cluster: Cluster
let open: () => Promise<Page>

beforeAll(async () => {
  await ensurePage(() => {})
  const { env, nginxEnv } = shopSettings(await freePort())
  cluster = await startCluster({ nodes: 2, env: { ...env, SAOMA_WEB_ROOT: pageFolder }, nginxEnv })
  const { origin } = cluster
  const browser = await launchBrowser()
  const context = await browser.newContext({
    locale: 'en-US',
    storageState: storageWith(origin, await storedLogin(origin, 'Ana')),
  })
  onCleanup(() => context.close())
  // A network through which no WebSocket gets.
  await context.routeWebSocket(/./, (socket) => socket.close())
  open = async () => {
    const page = await context.newPage()
    await page.goto(`${origin}/chat.html?room=tabs`)
    return page
  }
}, 90_000)

const isLive = (page: Page): Promise<void> =>
  page.locator('[data-state="socket"], [data-state="stream"], [data-state="poll"]').first().waitFor()

const say = async (page: Page, text: string) => {
  await page.getByLabel('Your message').fill(text)
  await page.keyboard.press('Enter')
  await page.getByRole('log').getByText(text, { exact: true }).waitFor()
}

const said = (page: Page) => page.locator('.said [data-offset] .theirs').allTextContents()

/** The browser's name for who leads, and for this page. */
const leading = (page: Page) =>
  page.evaluate(async () => {
    const held = async (matches: (name: string) => boolean) =>
      (await navigator.locks.query()).held?.find(({ name = '' }) => matches(name))?.clientId
    const me = await navigator.locks.request('who-am-i', () => held((name) => name === 'who-am-i'))
    return { leader: await held((name) => name.startsWith('saoma:live:') && !name.includes(':tab:')), me }
  })

/** Takes the tab that has the connection out of these. */
const takeLeader = async (tabs: Page[]): Promise<Page> => {
  for (const [at, page] of tabs.entries()) {
    const { leader, me } = await leading(page)
    if (leader === me) tabs.splice(at, 1)
    if (leader === me) return page
  }
  throw new Error('no tab has the connection')
}

// When the tab with the connection is closed or asleep, another has it.
test('seven tabs without WebSockets are live in a browser that opens six connections', async () => {
  const tabs: Page[] = []
  for (let tab = 0; tab < TABS; tab++) {
    const page = await open()
    await isLive(page)
    tabs.push(page)
  }
  const all: string[] = []
  const sayTo = async (pages: Page[], text: string) => {
    all.push(text)
    await say(pages[0] as Page, text)
    for (const page of pages)
      expect(
        await until(
          () => said(page),
          (texts) => texts.length >= all.length,
        ),
      ).toEqual(all)
  }
  await sayTo(tabs, 'all are here')

  // For what follows four are enough.
  for (const page of tabs.splice(4)) await page.close()
  await (await takeLeader(tabs)).close()
  await sayTo(tabs, 'one is closed')

  // As browsers do with tabs that nobody has looked at for long.
  const asleep = await takeLeader(tabs)
  const devtools = await asleep.context().newCDPSession(asleep)
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
  await sayTo(tabs, 'one is asleep')
  await devtools.send('Page.setWebLifecycleState', { state: 'active' })
  tabs.push(asleep)
  await sayTo(tabs, 'one has woken')

  // A page that was left and comes back, as it was or anew.
  const left = await takeLeader(tabs)
  await left.goto(`${cluster.origin}/oidc/jwks`)
  await sayTo(tabs, 'one is away')
  await left.goBack()
  await sayTo([left, ...tabs], 'one is back')
}, 240_000)
