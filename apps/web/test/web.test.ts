import type { SaomaLogin } from '@saoma/client/element'
import { confirm, phoneToken, request, scan, until } from '@saoma/testing'
import { card, type Device, desktop, mobile, scanned, tabTo, ticketOn, userCode } from './people.ts'
import { createStage } from './stage.ts'

const stage = createStage()
const { open, approve, approveTicket } = stage

test('a person scans, compares, confirms and stays logged in until they log out', async () => {
  const page = await open('/', desktop)
  const phone = await open(await scanned(page), mobile)
  await phone.getByRole('button', { name: 'Han Meimei' }).click()
  await card(page, 'scanned').waitFor()
  expect(await phone.locator('.usercode strong').textContent()).toBe(await userCode(page))
  for (const fact of ['Address', 'Browser', 'System', 'Asked']) await phone.getByText(fact, { exact: true }).waitFor()
  await phone.getByText('If you did not start this yourself, decline.').waitFor()
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()

  await page.getByRole('heading', { name: 'Hello, Han Meimei' }).waitFor()
  await page.getByText('The signature is valid').waitFor()

  await page.reload()
  await page.getByRole('heading', { name: 'Hello, Han Meimei' }).waitFor()
  await page.getByText('The signature is valid').waitFor()
  await page.getByRole('button', { name: 'Refresh now' }).click()
  await page.getByText('Refreshed at').waitFor()
  await page.getByText('The signature is valid').waitFor()

  await page.getByRole('button', { name: 'Log out' }).click()
  await scanned(page)
})

test('through nginx, the browser’s socket and the phone use different nodes', async () => {
  const page = await open('/', desktop)
  const holderOf = new Map<string, string>()
  page.on('websocket', (socket) => {
    // Engine.IO's first frame names the session, which begins with the id of the node that holds it.
    let holder = ''
    socket.on('framereceived', ({ payload }) => {
      holder ||= /"sid":"([a-z]+)-/.exec(`${payload}`)?.[1] ?? ''
      const [, ticket] = /"ticket":"([^"]+)"/.exec(`${payload}`) ?? []
      if (ticket) holderOf.set(ticket, holder)
    })
  })
  await page.reload()
  const ticket = await ticketOn(page)
  const held = await until(
    async () => holderOf.get(ticket),
    (holder) => holder !== undefined,
  )
  const other = stage.cluster.nodes.find(({ id }) => id !== held)
  expect(stage.cluster.nodes.map(({ id }) => id)).toContain(held)

  const token = await phoneToken(stage.origin, 'Ada Lovelace')
  for (const step of [scan, confirm]) {
    const answer = await step(other?.origin ?? '', ticket, token)
    expect([answer.status, answer.headers.get('x-saoma-node')]).toEqual([200, other?.id])
  }
  await page.getByRole('heading', { name: 'Hello, Ada Lovelace' }).waitFor()
})

// The page says so and shows the code again.
test('a login ended from the phone through another node ends on the page', async () => {
  const page = await open('/', desktop)
  // Engine.IO's first frame names the session, which begins with the id of the node that holds it.
  const monitored = new Promise<string>((resolve) =>
    page.on('websocket', (socket) => {
      let holder = ''
      socket.on('framereceived', ({ payload }) => {
        holder ||= /"sid":"([a-z]+)-/.exec(`${payload}`)?.[1] ?? ''
        // The answer to its one subscription: the person's own channel.
        if (`${payload}`.includes('"channel":"user:')) resolve(holder)
      })
    }),
  )
  await approve(page, 'Wang Fang')
  const places = page.locator('.places')
  await places.getByText('This browser').waitFor()
  const holder = await monitored
  const other = stage.cluster.nodes.find(({ id }) => id !== holder)
  expect(stage.cluster.nodes.map(({ id }) => id)).toContain(holder)

  const bearer = await phoneToken(stage.origin, 'Wang Fang')
  const ended = await request(`${other?.origin}/v1/sessions`, { method: 'DELETE', bearer })
  expect(ended).toMatchObject({ status: 200, body: { ended: 1 } })
  await page.getByText('You were logged out from another device.').waitFor()
  await page.locator('.revoked:focus').waitFor()
  await scanned(page)
  await page.reload()
  await scanned(page)
  expect(await page.getByText('You were logged out').count()).toBe(0)
})

// Each of the ended pages shows the code again.
test('a person sees all their logins live, ends one and then all others', async () => {
  const logIn = async (options: Device) => {
    const page = await open('/', options)
    await approve(page, 'Zhao Min')
    await page.locator('.places').waitFor()
    return page
  }
  const [first, second] = [await logIn(desktop), await logIn(mobile)]
  const here = await logIn({ ...desktop, locale: 'zh-CN' })
  await here.getByText('当前浏览器').waitFor()
  const others = here.locator('.places li .button:not(.not-me)')
  expect(await others.count()).toBe(2)
  // This one was there before the other two, and nobody has touched it.
  const listed = first.locator('.places li')
  await listed.nth(2).waitFor()
  expect(await listed.first().textContent()).toMatch(/since [A-Z][a-z]{2} \d+, .*\d:\d\d/)
  // The newest comes first, and this one is the newest.
  await here.locator('.places li .not-me').first().click()
  await here.getByText('已退出并报告：').waitFor()
  await second.getByText('You were logged out from another device.').waitFor()
  await listed.nth(2).waitFor({ state: 'detached' })
  expect(await listed.count()).toBe(2)
  expect(await others.count()).toBe(1)
  // One tap asks, two in a hurry ask and take it back.
  const endOthers = here.getByRole('button', { name: '退出其他所有设备' })
  const question = here.getByText('确定退出其他 1 处登录？')
  await endOthers.dblclick()
  await endOthers.waitFor()
  expect(await question.count()).toBe(0)
  await endOthers.click()
  await question.waitFor()
  expect(await here.locator('.places .button:focus').textContent()).toContain('取消')
  expect(await listed.count()).toBe(2)
  await here.getByRole('button', { name: '全部退出' }).click()
  await first.getByText('You were logged out from another device.').waitFor()
  await here.getByText('已退出其他 1 处登录。').waitFor()
  expect(await others.count()).toBe(0)
  for (const width of [320, 390, 1100]) {
    await here.setViewportSize({ width, height: 800 })
    expect(await here.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
  }
})

test('while Redis stands still the phone repeats one answer and then reports the outcome', async () => {
  const page = await open('/', desktop)
  const phone = await open(await scanned(page), mobile)
  await phone.getByRole('button', { name: 'Han Meimei' }).click()
  await card(page, 'scanned').waitFor()
  const confirming = phone.getByRole('button', { name: 'Confirm' })
  await confirming.waitFor()
  await stage.cluster.redis.kill('SIGSTOP')
  try {
    await confirming.click()
    await phone.getByText('Your answer is repeated until it does.').waitFor()
    expect(await phone.getByRole('button', { name: 'Decline' }).count()).toBe(0)
  } finally {
    await stage.cluster.redis.kill('SIGCONT')
  }
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()
  await page.getByRole('heading', { name: 'Hello, Han Meimei' }).waitFor()
})

test('after a decline the page says so and shows a new code on request', async () => {
  const page = await open('/', desktop)
  const link = await scanned(page)
  const phone = await open(link, mobile)
  await phone.getByRole('button', { name: 'Li Lei' }).click()
  await phone.getByRole('button', { name: 'Decline' }).click()
  await phone.getByRole('heading', { name: 'Declined' }).waitFor()
  await card(page, 'rejected').getByText('Nobody was logged in.').waitFor()
  await page.getByRole('button', { name: 'Show a new code' }).click()
  expect(await scanned(page)).not.toBe(link)
  // The button is gone; whoever uses the keyboard goes on from where it was.
  await page.locator('saoma-login .headline:focus').waitFor()
})

test('with the keyboard alone a code is typed on the phone, compared and confirmed', async () => {
  const page = await open('/', desktop)
  await scanned(page)
  const phone = await open('/phone', mobile)
  await tabTo(phone, 'Somebody else')
  await phone.keyboard.type('Grace')
  await phone.keyboard.press('Enter')
  // The field for the code has the focus already.
  await phone.getByLabel('Code').waitFor()
  await phone.keyboard.type((await userCode(page)).toLowerCase().replace('-', ''))
  await phone.keyboard.press('Enter')
  await phone.getByRole('heading', { name: 'Log in to Saoma?' }).waitFor()
  // Declining comes first, and nothing is decided by pressing Enter once too often.
  await phone.keyboard.press('Enter')
  await tabTo(phone, 'Decline')
  await tabTo(phone, 'Confirm')
  await phone.keyboard.press('Enter')
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()

  await page.getByRole('heading', { name: 'Hello, Grace' }).waitFor()
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
  await tabTo(page, 'Log out')
  await page.keyboard.press('Enter')
  await scanned(page)
  await tabTo(page, 'Open the phone page')
})

test('a Chinese browser gets Chinese on both screens, and another choice is remembered', async () => {
  const page = await open('/', { ...desktop, locale: 'zh-CN' })
  const link = await scanned(page)
  await page.getByRole('heading', { name: '拿起手机，扫码即可登录' }).waitFor()
  await card(page, 'waiting').getByText('用手机相机对准二维码').waitFor()
  const phone = await open(link, { ...mobile, locale: 'zh-CN' })
  await phone.getByRole('button', { name: '王小明' }).click()
  await card(page, 'scanned').getByText('已扫描，请在手机上确认').waitFor()
  await phone.getByText('如果不是你本人发起，请拒绝。').waitFor()
  await phone.getByRole('button', { name: '确认登录' }).click()
  await phone.getByRole('heading', { name: '登录成功' }).waitFor()
  await page.getByRole('heading', { name: '你好，王小明' }).waitFor()

  await page.getByRole('button', { name: 'English' }).click()
  await page.getByRole('heading', { name: 'Hello, 王小明' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'Hello, 王小明' }).waitFor()
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('en')
})

test('a second phone learns that a code is taken, and a wrong code that it does not exist', async () => {
  const page = await open('/', desktop)
  const link = await scanned(page)
  const first = await open(link, mobile)
  await first.getByRole('button', { name: 'Li Lei' }).click()
  await first.getByRole('button', { name: 'Confirm' }).waitFor()
  const second = await open(link, mobile)
  await second.getByRole('button', { name: 'Ada Lovelace' }).click()
  await second.getByText('Somebody else has already scanned this code.').waitFor()
  await second.getByRole('link', { name: 'Enter another code' }).click()
  await second.getByRole('button', { name: 'Ada Lovelace' }).click()
  await second.getByLabel('Code').fill('BBBB-BBBB')
  await second.getByRole('button', { name: 'Find' }).click()
  await second.getByRole('alert').getByText('This code does not exist.').waitFor()
  // The first phone may still confirm.
  expect(await first.getByRole('button', { name: 'Confirm' }).isVisible()).toBe(true)
})

test('a page reload keeps the same code', async () => {
  const page = await open('/', desktop)
  const link = await scanned(page)
  await page.reload()
  expect(await scanned(page)).toBe(link)
})

test('a browser that returns with a confirmed ticket in its address is logged in once', async () => {
  const page = await open('/', desktop)
  const ticket = await ticketOn(page)
  // As a page of WeChat's format would: the ticket was made here, and something else waited for it.
  await page.goto('about:blank')
  await approveTicket(ticket, 'Marie')
  await page.goto(`${stage.origin}/?ticket=${ticket}`)
  await page.getByRole('heading', { name: 'Hello, Marie' }).waitFor()
  expect(page.url()).toBe(`${stage.origin}/`)
})

test('a missing picture gives the reason and loads when requested again', async () => {
  const page = await open('/phone', desktop)
  let fails = true
  await page.route('**/qr', (route) => {
    const problem = { type: 'about:blank', title: 't', status: 502, code: 'WECHAT_UNAVAILABLE', react: 'retry' }
    return fails ? route.fulfill({ status: 502, json: problem }) : route.continue()
  })
  await page.goto(`${stage.origin}/`)
  await page.getByText('WeChat does not answer right now.').waitFor()
  fails = false
  await page.getByRole('button', { name: 'Load again' }).click()
  expect(await ticketOn(page)).toMatch(/^[\w-]{22}$/)
})

test('links for demos appear beside a code of the demo phone, not beside one of WeChat or of an app', async () => {
  const page = await open('/', desktop)
  const offers = page.locator('footer nav a')
  await offers.first().waitFor()
  expect(await offers.allTextContents()).toEqual(['Type a code on the phone', 'On another site'])
  await page.route('**/qr', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, json: { ...(await answer.json()), code: 'mini-program' } })
  })
  await page.reload()
  await page.getByText('Open WeChat, tap Scan, point it at the code').waitFor()
  expect(await offers.count()).toBe(0)
  await page.unroute('**/qr')
  await page.route('**/oidc/device/auth', async (route) => {
    const answer = await route.fetch()
    const body = await answer.json()
    await route.fulfill({
      response: answer,
      json: { ...body, verification_uri_complete: `${stage.origin}/l/${body.ticket}` },
    })
  })
  await page.locator('saoma-login').evaluate((element: SaomaLogin) => element.renew())
  expect(new URL(await scanned(page)).pathname).toMatch(/^\/l\//)
  expect(await offers.count()).toBe(0)
})

test('the element alone logs a person in on another site’s page', async () => {
  const page = await open('/embed.html', desktop)
  await approve(page, 'Ada Lovelace')
  await page.getByText('Welcome back, Ada Lovelace.').waitFor()
  const { headers } = await request(`${stage.origin}/saoma-login.js`)
  expect(headers.get('access-control-allow-origin')).toBe('*')
})

test('nothing is cut off from the narrowest phone to a wide screen', async () => {
  const page = await open('/', desktop)
  const phone = await open(await scanned(page), mobile)
  await phone.getByRole('button', { name: 'Li Lei' }).click()
  await phone.getByRole('button', { name: 'Confirm' }).waitFor()
  for (const width of [320, 390, 768, 1280, 1920]) {
    for (const screen of [page, phone]) {
      await screen.setViewportSize({ width, height: 800 })
      expect(await screen.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    }
  }
})
