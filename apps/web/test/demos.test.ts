import {
  type Cluster,
  confirm,
  ensurePage,
  freePort,
  type Gateway,
  launchBrowser,
  pageFolder,
  phoneToken,
  scan,
  shopSettings,
  startCluster,
  startShop,
  storageWith,
  storedLogin,
} from '@saoma/testing'
import { type Browser, createScreens, type Device, desktop, mobile, type Page, ticketOn } from './people.ts'

/** Long enough to kill a node in. */
const COURIER_MS = 2_000
const MOST_RELOADS = 10

let cluster: Cluster
let browser: Browser
const screens = createScreens(() => cluster.origin)

beforeAll(async () => {
  await ensurePage(() => {})
  const port = await freePort()
  const { env, nginxEnv } = shopSettings(port)
  cluster = await startCluster({ nodes: 2, env: { ...env, SAOMA_WEB_ROOT: pageFolder }, nginxEnv })
  await startShop({ origin: cluster.origin, port, env: { SHOP_COURIER_MS: `${COURIER_MS}` } })
  browser = await launchBrowser()
}, 90_000)

afterEach(async () => expect(await screens.leave()).toEqual([]))

const open = (path: string, device: Device, inBrowser = browser): Promise<Page> => screens.open(inBrowser, path, device)

/** A device on which that person is signed in, as a login would leave it. */
const deviceOf = async (name: string, device: Device = desktop): Promise<Device> => {
  const { origin } = cluster
  return { ...device, storageState: storageWith(origin, await storedLogin(origin, name)) }
}

const isLive = (page: Page): Promise<void> => page.locator('[data-state="socket"]').waitFor()

/**
 * Reloads the page. Engine.IO's first frame names the session, which begins with the id of the node that
 * holds it.
 */
const reload = async (page: Page): Promise<Gateway> => {
  // Or the socket that we hear of could be the one of the page before.
  await isLive(page)
  let holder: string | undefined
  page.once('websocket', (socket) =>
    socket.once('framereceived', ({ payload }) => {
      holder = /"sid":"([a-z]+)-/.exec(`${payload}`)?.[1]
    }),
  )
  await page.reload()
  await isLive(page)
  const node = cluster.nodes.find(({ id }) => id === holder)
  if (!node) throw new Error(`no node is called "${holder}"`)
  return node
}

/** Has the sockets of the two held by different nodes. */
const apart = async (one: Page, other: Page): Promise<void> => {
  const held = await reload(one)
  for (let tries = 0; tries < MOST_RELOADS; tries++) if ((await reload(other)) !== held) return
  throw new Error(`nginx gave ${held.id} to both pages, ${MOST_RELOADS} times`)
}

test('a visitor logs in first, and then the page and its links to the others work', async () => {
  const page = await open('/table.html?table=12', desktop)
  const ticket = await ticketOn(page)
  const token = await phoneToken(cluster.origin, 'Grace')
  await scan(cluster.origin, ticket, token)
  await confirm(cluster.origin, ticket, token)
  await page.getByRole('heading', { name: 'Table 12' }).waitFor()
  await isLive(page)
  for (const [link, heading] of [
    ['Chat', 'Room “lobby”'],
    ['Messages', 'Message center'],
    ['Callback', 'Ask a courier for a quote'],
    ['Table', 'Table 7'],
  ] as const) {
    await page.getByRole('navigation', { name: 'Examples' }).getByRole('link', { name: link }).click()
    await page.getByRole('heading', { name: heading }).waitFor()
  }
  await page.goto(`${cluster.origin}/`)
  await page.getByRole('link', { name: 'Message center' }).click()
  await page.getByRole('button', { name: 'Log out' }).click()
  expect(await ticketOn(page)).not.toBe(ticket)
})

// The second writer of a note is asked which of the two is kept.
test('two people at a table share an order over two nodes', async () => {
  const [ana, ben] = await Promise.all([
    open('/table.html?table=8', await deviceOf('Ana')),
    open('/table.html?table=8', await deviceOf('Ben', { ...mobile, locale: 'zh-CN' })),
  ])
  await apart(ana, ben)
  await ana.getByRole('button', { name: 'One more: Beef noodles' }).dblclick()
  await ben.getByText('红烧牛肉面 × 2', { exact: true }).waitFor()
  await ben.getByRole('button', { name: '减一份红烧牛肉面' }).click()
  await ana.getByText('Beef noodles × 1', { exact: true }).waitFor()

  await ana.getByRole('button', { name: 'Note for Beef noodles' }).click()
  await ben.getByRole('button', { name: '红烧牛肉面的备注' }).click()
  await ben.getByLabel('红烧牛肉面的备注').fill('多放香菜')
  await ben.getByRole('button', { name: '保存' }).click()
  await ana.locator('.note').getByText('多放香菜').waitFor()
  await ana.getByLabel('Note for Beef noodles').fill('<b>mild</b>')
  await ana.getByRole('button', { name: 'Save' }).click()
  const question = ana.getByRole('alert')
  for (const note of ['多放香菜', '<b>mild</b>']) await question.getByText(note).waitFor()
  await question.getByRole('button', { name: 'Use mine' }).click()
  await ben.locator('.note').getByText('<b>mild</b>').waitFor()

  await ben.getByRole('button', { name: '提交到厨房' }).click()
  await ana.getByText('Sent to the kitchen. The order can no longer be changed.').waitFor()
  // Beside the buttons that are grey now, also where the order itself is out of sight.
  await ben.locator('[data-frozen]').getByText('不能再加菜').waitFor()
  expect(await ana.getByRole('button', { name: 'One more: Beef noodles' }).isDisabled()).toBe(true)
  await ana.getByRole('button', { name: 'Start a new order' }).click()
  await ben.getByText('还没有点菜。').waitFor()
})

// Messages are shown as text, never as HTML.
test('a chat room over two nodes shows who is here, who is writing and what was said', async () => {
  const [ana, ben] = await Promise.all([
    open('/chat.html?room=garden', await deviceOf('Ana')),
    open('/chat.html?room=garden', await deviceOf('Ben', mobile)),
  ])
  await apart(ana, ben)
  for (const page of [ana, ben]) {
    await page.getByRole('heading', { name: '2 people here' }).waitFor()
    await page.getByRole('listitem').filter({ hasText: 'Ana' }).waitFor()
    await page.getByRole('listitem').filter({ hasText: 'Ben' }).waitFor()
  }
  const words = '<img src=x onerror=alert(1)> & "hello"'
  await ana.getByLabel('Your message').fill(words)
  await ben.getByText('Ana is writing…').waitFor()
  await ana.keyboard.press('Enter')
  await ben.getByRole('log').getByText(words).waitFor()
  await ana.getByRole('log').locator('[data-offset="1"]').getByText(words).waitFor()
  expect(await ana.locator('.pending').count()).toBe(0)
  expect(await ben.getByText('is writing').count()).toBe(0)

  for (const text of ['one', 'two', 'three']) {
    await ben.getByLabel('Your message').fill(text)
    await ben.keyboard.press('Enter')
  }
  await ana.locator('[data-offset="4"]').waitFor()
  expect(await ana.locator('.said .theirs').allTextContents()).toEqual([words, 'one', 'two', 'three'])
  await ben.reload()
  await ben.locator('[data-offset="4"]').waitFor()
  expect(await ben.locator('.said .theirs').allTextContents()).toEqual([words, 'one', 'two', 'three'])

  await ben.context().close()
  await ana.getByRole('heading', { name: '1 person here' }).waitFor()
})

// Browsers keep pages for a return.
test('a person who leaves for another page is gone at once, even from a cached page', async () => {
  const keeping = await launchBrowser({ keepsPages: true })
  const [ana, ben] = await Promise.all([
    open('/chat.html?room=garden', await deviceOf('Ana')),
    open('/chat.html?room=garden', await deviceOf('Ben'), keeping),
  ])
  await Promise.all([isLive(ana), isLive(ben)])
  await ana.getByRole('heading', { name: '2 people here' }).waitFor()
  await ben.goto(`${cluster.origin}/table.html?table=9`)
  await ana.getByRole('heading', { name: '1 person here' }).waitFor()
  expect(await ana.getByRole('heading', { name: '2 people here' }).count()).toBe(0)
})

test('a message written offline is shown at once and sent when the network is back', async () => {
  const ana = await open('/chat.html?room=tunnel', await deviceOf('Ana'))
  await isLive(ana)
  await ana.context().setOffline(true)
  await ana.locator('[data-state="offline"]').waitFor()
  await ana.getByLabel('Your message').fill('from the tunnel')
  await ana.keyboard.press('Enter')
  await ana.locator('.pending').getByText('from the tunnel').waitFor()
  await ana.context().setOffline(false)
  await ana.locator('[data-offset="1"]').getByText('from the tunnel').waitFor()
  expect(await ana.locator('.said li').count()).toBe(1)
})

// A message written meanwhile looks unsent.
test('while Redis stands still a page says that it recovers, and then all is there', async () => {
  const [ana, idle] = await Promise.all([
    open('/chat.html?room=still', await deviceOf('Ana')),
    open('/table.html?table=40', await deviceOf('Ben')),
  ])
  await Promise.all([isLive(ana), isLive(idle)])
  await cluster.redis.kill('SIGSTOP')
  try {
    // Who does nothing is told as well.
    const told = idle.locator('[data-state="recovering"]').getByText('Recovering…').waitFor()
    await ana.getByLabel('Your message').fill('is anybody there?')
    await ana.keyboard.press('Enter')
    await ana.locator('.pending').getByText('is anybody there?').waitFor()
    await ana.locator('[data-state="recovering"]').getByText('Recovering…').waitFor()
    await told
  } finally {
    await cluster.redis.kill('SIGCONT')
  }
  await ana.locator('[data-offset="1"]').getByText('is anybody there?').waitFor()
  expect(await ana.locator('.said li').count()).toBe(1)
  await Promise.all([isLive(ana), isLive(idle)])
})

test('an order that is not yet kept does not look ordered', async () => {
  const ana = await open('/table.html?table=31', await deviceOf('Ana'))
  await isLive(ana)
  const more = ana.getByRole('button', { name: 'One more: Beef noodles' })
  await more.click()
  await ana.getByText('Beef noodles × 1', { exact: true }).waitFor()
  const { promise, resolve } = Promise.withResolvers<void>()
  await ana.route('**/edits', async (route) => {
    await promise
    await route.continue()
  })
  await more.click()
  await ana.locator('.lines .unsaved').getByText('not saved yet').waitFor()
  await ana.locator('[data-state="recovering"]').waitFor()
  resolve()
  await ana.locator('.lines').getByText('from Ana').waitFor()
  expect(await ana.locator('.unsaved').count()).toBe(0)
  await isLive(ana)
})

// What came while nobody looked is counted as well.
test('the bell counts alike on two screens, and reading on one counts on both', async () => {
  const device = await deviceOf('Chen')
  const one = await open('/inbox.html', device)
  await isLive(one)
  for (const text of ['First', 'Second']) {
    await one.getByLabel('What should it say?').fill(text)
    await one.getByRole('button', { name: 'Send it now' }).click()
    await one.locator('.notices').getByText(text).waitFor()
  }
  await one.goto('about:blank')
  const other = await open('/chat.html', device)
  await other.getByRole('link', { name: 'Unread messages: 2' }).click()
  await other.locator('[data-unread="2"]').waitFor()
  await one.goto(`${cluster.origin}/inbox.html`)
  await apart(one, other)

  await other.locator('[data-offset="1"]').getByRole('button', { name: 'Read up to here' }).click()
  for (const page of [one, other]) {
    await page.locator('[data-unread="1"]').waitFor()
    await page.getByRole('link', { name: 'Unread messages: 1' }).waitFor()
    expect(await page.locator('.notices .new').allTextContents()).toEqual([expect.stringContaining('Second')])
  }
  await one.getByRole('button', { name: 'Mark all as read' }).click()
  for (const page of [one, other]) await page.getByText('Everything read').waitFor()
})

// The node of that page is killed meanwhile.
test('a third party’s answer reaches only the page that asked', async () => {
  const [ana, ben] = await Promise.all([
    open('/job.html', await deviceOf('Ana')),
    open('/job.html', await deviceOf('Ben')),
  ])
  const node = await reload(ana)
  await ana.getByLabel('Where should the parcel go?').fill('Suzhou')
  await ana.getByRole('button', { name: 'Ask for a quote' }).click()
  await ana.locator('[data-status="waiting"]').waitFor()
  await node.kill('SIGKILL')
  await ben.goto(ana.url())
  await ben.getByText('Only the person who asked may see this answer.').waitFor()
  await ana.getByText('Here is your quote').waitFor()
  await ana.getByText('Parcel to Suzhou').waitFor()
  const number = await ana.locator('.facts .mono').textContent()
  expect(await ana.locator('[data-status="done"]').count()).toBe(1)

  await node.restart()
  await ana.reload()
  await ana.getByText('Here is your quote').waitFor()
  expect(await ana.locator('.facts .mono').textContent()).toBe(number)
})

const shownIn = ['en-US', 'zh-CN'].flatMap((locale) =>
  ['/table.html?table=7', '/chat.html', '/inbox.html', '/job.html', '/'].map((path) => [path, locale] as const),
)

test.each(shownIn)(
  'nothing of %s is cut off in %s, from the narrowest phone to a wide screen',
  async (path, locale) => {
    const page = await open(path, await deviceOf('Wolfeschlegelsteinhausenberger', { ...desktop, locale }))
    await page.locator('h1').waitFor()
    for (const width of [320, 390, 768, 1100, 1920]) {
      await page.setViewportSize({ width, height: 800 })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
    }
  },
)
