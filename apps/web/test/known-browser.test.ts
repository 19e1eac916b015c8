import { createHash } from 'node:crypto'
import { decodeClaims } from '@saoma/client'
import type { SaomaLogin } from '@saoma/client/element'
import { CIBA_GRANT, type KnownBrowsers, type WaitingRequests } from '@saoma/protocol'
import { phoneToken, request, testAdminKey, until } from '@saoma/testing'
import { card, desktop, mobile, type Page, ticketOn } from './people.ts'
import { createStage } from './stage.ts'

/* A browser that its person has had remembered asks the phone: what both screens show. */

const WIKI = 'https://wiki.example.com/callback'
const SECRET = 'a-secret-of-a-test-with-many-characters-0'
const clients = JSON.stringify([
  { client_id: 'wiki', client_name: 'Wiki', type: 'public', party: 'first', redirect_uris: [WIKI] },
  {
    client_id: 'desk',
    client_name: 'Help desk',
    type: 'confidential',
    party: 'first',
    grant_types: [CIBA_GRANT],
    secret_sha256: createHash('sha256').update(SECRET).digest('hex'),
  },
])

const stage = createStage({ env: { SAOMA_CLIENTS: clients } })
const { open, approve, approveTicket, node } = stage

const tickbox = (page: Page) => page.getByRole('checkbox', { name: 'Remember this browser' })
const continueAs = (page: Page, name: string) => page.getByRole('button', { name: `Continue as ${name}` })
const headline = (page: Page, text: string) => page.locator('saoma-login .headline', { hasText: text }).waitFor()
const hello = (page: Page, name: string) => page.getByRole('heading', { name: `Hello, ${name}` }).waitFor()

const inboxOf = async (name: string) => {
  const bearer = await phoneToken(stage.origin, name)
  return (await request<WaitingRequests>(`${node()}/v1/me/requests`, { bearer })).body.requests
}
const logOut = (page: Page) => page.getByRole('button', { name: 'Log out' }).click()
/** A browser in which that person has logged in, has had it remembered, and has logged out. */
const rememberedFor = async (name: string, device = desktop) => {
  const page = await open('/', device)
  await tickbox(page).check()
  await approve(page, name)
  await hello(page, name)
  await page.getByRole('heading', { name: 'Browsers that may ask your phone' }).waitFor()
  await logOut(page)
  await continueAs(page, name).waitFor()
  return page
}
/** The page asks. Resolves when the phone was asked. */
const ask = async (page: Page, name: string) => {
  await continueAs(page, name).click()
  await headline(page, 'Confirm on your phone')
}
/** That person's phone, with the list of what waits. */
const phoneOf = async (name: string) => {
  const phone = await open('/phone', mobile)
  await phone.getByLabel('Somebody else').fill(name)
  await phone.getByRole('button', { name: 'Continue' }).click()
  return phone
}
const takeOnPhone = async (phone: Page) => {
  await phone.getByRole('button', { name: /^Saoma/ }).click()
  await phone.getByRole('heading', { name: 'Log in to Saoma?' }).waitFor()
}

test('a browser is remembered if its person wants it, and asks the phone instead of a scan', async () => {
  const page = await open()
  expect(await tickbox(page).isChecked()).toBe(false)
  await approve(page, 'Ada')
  await hello(page, 'Ada')
  await logOut(page)
  // Nobody wanted it.
  await tickbox(page).waitFor()
  expect(await continueAs(page, 'Ada').count()).toBe(0)
  await tickbox(page).check()
  await approve(page, 'Ada')
  await hello(page, 'Ada')
  await logOut(page)
  await continueAs(page, 'Ada').waitFor()
  expect(await tickbox(page).count()).toBe(0)
  // A page that is looked at asks nobody.
  await page.reload()
  await continueAs(page, 'Ada').waitFor()
  expect(await inboxOf('Ada')).toEqual([])

  await ask(page, 'Ada')
  await page.getByText('Ada, your phone was asked').waitFor()
  await card(page, 'waiting').locator('img').waitFor()
  const phone = await phoneOf('Ada')
  await takeOnPhone(phone)
  await phone.getByText('Chrome').waitFor()
  const number = await page.locator('saoma-login .number').textContent()
  await headline(page, `Enter ${number} on your phone`)
  expect(await page.locator('saoma-login .code strong').textContent()).toBe(
    await phone.locator('.usercode strong').textContent(),
  )
  await phone.getByLabel('Number on the other screen').fill(number ?? '')
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()
  await hello(page, 'Ada')
})

test('whoever declines on the phone finds the code again, and may scan it', async () => {
  const page = await rememberedFor('Ben')
  await ask(page, 'Ben')
  const asked = await ticketOn(page)
  const phone = await phoneOf('Ben')
  await takeOnPhone(phone)
  await phone.getByRole('button', { name: 'Decline' }).click()
  await page.getByText('The login was declined. To log in even so, scan the code.').waitFor()
  expect(await ticketOn(page)).not.toBe(asked)
  expect(await continueAs(page, 'Ben').count()).toBe(0)
  // With the next code it is forgotten.
  await page.locator('saoma-login').evaluate((element: SaomaLogin) => element.renew())
  await continueAs(page, 'Ben').waitFor()
  await approve(page, 'Ben')
  await hello(page, 'Ben')
})

test('without an answer the code works, and after three requests the page says that it cannot ask', async () => {
  const page = await rememberedFor('Cleo')
  for (const count of [1, 2, 3]) {
    await ask(page, 'Cleo')
    expect(await inboxOf('Cleo')).toHaveLength(count)
    // A reload does not ask again.
    if (count === 1) {
      await page.reload()
      await headline(page, 'Confirm on your phone')
    }
    await page.locator('saoma-login').evaluate((element: SaomaLogin) => element.renew())
    await headline(page, 'Scan to log in')
  }
  await continueAs(page, 'Cleo').click()
  await page.getByText('Your phone cannot be asked now.').waitFor()
  await headline(page, 'Scan to log in')
  await approve(page, 'Cleo')
  await hello(page, 'Cleo')
})

test('a browser that was taken off the list of the person is told so once, and forgets', async () => {
  const page = await rememberedFor('Dan')
  const other = await open()
  await approve(other, 'Dan')
  await hello(other, 'Dan')
  await other.locator('.places .forget').click()
  await other.getByRole('heading', { name: 'Browsers that may ask your phone' }).waitFor({ state: 'detached' })
  await continueAs(page, 'Dan').click()
  await page.getByText('Your phone cannot be asked now.').waitFor()
  expect(await inboxOf('Dan')).toEqual([])
  await approve(page, 'Dan')
  await hello(page, 'Dan')
  await logOut(page)
  await tickbox(page).waitFor()
  expect(await continueAs(page, 'Dan').count()).toBe(0)
})

test('a list that was read before a browser is forgotten does not bring it back', async () => {
  await rememberedFor('Ian')
  const other = await open()
  await approve(other, 'Ian')
  await hello(other, 'Ian')
  const list = other.getByRole('heading', { name: 'Browsers that may ask your phone' })
  await list.waitFor()
  const read = Promise.withResolvers<void>()
  const late = Promise.withResolvers<void>()
  const told = Promise.withResolvers<void>()
  await other.route(
    '**/v1/me/browsers',
    async (route) => {
      const response = await route.fetch()
      read.resolve()
      await late.promise
      await route.fulfill({ response })
      told.resolve()
    },
    { times: 1 },
  )
  // Another login has the page read the list anew.
  await approve(await open(), 'Ian')
  await read.promise
  await other.locator('.places .forget').click()
  await list.waitFor({ state: 'detached' })
  late.resolve()
  await told.promise
  await other.evaluate(() => new Promise((done) => setTimeout(done)))
  expect(await list.count()).toBe(0)
})

test('"Not you?" forgets the person and the key, and takes the request off the page', async () => {
  const page = await rememberedFor('Eve')
  await ask(page, 'Eve')
  const asked = await ticketOn(page)
  await page.getByRole('button', { name: 'Not you?' }).click()
  await tickbox(page).waitFor()
  await headline(page, 'Scan to log in')
  expect(await ticketOn(page)).not.toBe(asked)
  const left = () =>
    page.evaluate(
      () =>
        new Promise<unknown[]>((resolve) => {
          indexedDB.open('saoma', 1).onsuccess = ({ target }) => {
            const { result } = target as IDBOpenDBRequest
            const all = result.transaction('keys').objectStore('keys').getAllKeys()
            all.onsuccess = () => {
              result.close()
              resolve([...all.result, ...Object.keys(localStorage).filter((name) => name.includes('known'))])
            }
          }
        }),
    )
  expect(await left()).toEqual([])
  await page.reload()
  await tickbox(page).waitFor()
  expect(await page.getByText('Eve').count()).toBe(0)
})

test('somebody else scans the code meanwhile, and the browser still knows whom it knew', async () => {
  const page = await rememberedFor('Fay')
  await ask(page, 'Fay')
  await approve(page, 'Gil')
  await hello(page, 'Gil')
  expect(await inboxOf('Fay')).toEqual([])
  await page.getByText('This browser', { exact: true }).waitFor()
  expect(await page.getByRole('heading', { name: 'Browsers that may ask your phone' }).count()).toBe(0)
  await logOut(page)
  await continueAs(page, 'Fay').waitFor()
})

test('a page of one’s own hears when somebody is known from now on, and when nobody is any more', async () => {
  const page = await open('/phone')
  await page.evaluate(`(async () => {
    const { createLogin } = await import('/saoma-login.js')
    const login = createLogin({ origin: location.origin, remembers: () => window.wants })
    Object.assign(window, { login, wants: true, heard: [] })
    login.on('person', (person) => heard.push(person?.name))
    login.start()
  })()`)
  const reaches = (status: string) =>
    until(
      () => page.evaluate<{ status: string; ticket: string }>('login.state'),
      (state) => state.status === status,
    )
  const logIn = async () => {
    await approveTicket((await reaches('waiting')).ticket, 'Ned')
    await reaches('done')
    return page.evaluate('heard.splice(0)')
  }
  expect(await logIn()).toEqual(['Ned'])
  await page.evaluate('wants = false, login.renew()')
  expect(await logIn()).toEqual([])
  const bearer = await phoneToken(stage.origin, 'Ned')
  const { body } = await request<KnownBrowsers>(`${node()}/v1/me/browsers`, { bearer })
  for (const { id } of body.browsers) await request(`${node()}/v1/me/browsers/${id}`, { method: 'DELETE', bearer })
  await page.evaluate('login.renew()')
  expect(await logIn()).toEqual([undefined])
})

test('an application’s page remembers and asks as well', async () => {
  const challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url')
  const asked = { client_id: 'wiki', redirect_uri: WIKI, response_type: 'code', scope: 'openid', prompt: 'login' }
  const query = new URLSearchParams({ ...asked, code_challenge: challenge, code_challenge_method: 'S256' })
  const wiki = (it: Page) =>
    it.route(/^https:\/\/wiki\.example\.com\//, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<h1>Welcome</h1>' }),
    )
  const page = await open(`/oidc/auth?${query}`, desktop, wiki)
  await page.getByRole('heading', { name: 'Log in to Wiki' }).waitFor()
  await tickbox(page).check()
  await approve(page, 'Hal')
  await page.getByRole('heading', { name: 'Welcome' }).waitFor()
  await page.goto(`${stage.origin}/oidc/auth?${query}`)
  await ask(page, 'Hal')
  const [waiting] = await inboxOf('Hal')
  expect(waiting).toMatchObject({ app: 'Wiki' })
  const phone = await phoneOf('Hal')
  await phone.getByRole('button', { name: /Wiki/ }).click()
  await phone.getByRole('heading', { name: 'Log in to Wiki?' }).waitFor()
  const number = await page.locator('saoma-login .number').textContent()
  await phone.getByLabel('Number on the other screen').fill(number ?? '')
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await page.getByRole('heading', { name: 'Welcome' }).waitFor()
})

test('a browser that keeps no keys has the code, and no word of it', async () => {
  const page = await open('/', desktop, (it) =>
    it.addInitScript(() => {
      Object.defineProperty(window, 'isSecureContext', { value: false })
    }),
  )
  await card(page, 'waiting').locator('img').waitFor()
  expect(await tickbox(page).count()).toBe(0)
  await approve(page, 'Ivy')
  await hello(page, 'Ivy')
  await page.context().close()
})

test('a browser that has lost its keys, and makes no new ones, has the code', async () => {
  const page = await rememberedFor('Jon')
  await page.addInitScript(() => {
    indexedDB.open = () => {
      throw new DOMException('no keys in a private window', 'InvalidStateError')
    }
  })
  await page.reload()
  await continueAs(page, 'Jon').click()
  await page.getByText('Your phone cannot be asked now.').waitFor()
  await tickbox(page).check()
  await approve(page, 'Jon')
  await hello(page, 'Jon')
  await page.context().close()
})

test('"this was not me" on the phone forgets the browser, and both screens say so in Chinese', async () => {
  const page = await open('/', { ...desktop, locale: 'zh-CN' })
  await page.getByRole('checkbox', { name: '记住此浏览器' }).check()
  await approve(page, 'Kai')
  await page.getByRole('button', { name: '退出登录' }).click()
  await page.getByRole('button', { name: '以 Kai 继续' }).click()
  await headline(page, '请在手机上确认')
  const phone = await open('/phone', { ...mobile, locale: 'zh-CN' })
  await phone.getByLabel('其他人').fill('Kai')
  await phone.getByRole('button', { name: '继续' }).click()
  await phone.getByRole('heading', { name: '等待你的答复' }).waitFor()
  await phone.locator('.waiting button').click()
  await phone.getByRole('button', { name: '不是我本人' }).click()
  await phone.getByRole('heading', { name: '已拒绝' }).waitFor()
  await page.getByText('登录已被拒绝。如仍要登录，请扫码。').waitFor()
  await page.reload()
  await page.getByRole('button', { name: '以 Kai 继续' }).click()
  await page.getByText('现在无法询问你的手机').waitFor()
})

test('the phone lists what servers ask, and says who asks, from where, and for what number', async () => {
  const sub = decodeClaims(await phoneToken(stage.origin, 'Mia'))?.sub ?? ''
  const phone = await phoneOf('Mia')
  await phone.getByLabel('Code', { exact: true }).fill('BCDF')
  const { body } = await request<{ number: string }>(`${node()}/oidc/backchannel`, {
    form: {
      ...{ client_id: 'desk', client_secret: SECRET, scope: 'openid', login_hint: sub },
      binding_message: 'Desk 4',
    },
  })
  const waiting = phone.getByRole('button', { name: /^Help desk Desk 4 · / })
  await waiting.waitFor()
  // Whoever types is not disturbed.
  expect(await phone.getByLabel('Code', { exact: true }).inputValue()).toBe('BCDF')
  await waiting.click()
  await phone.getByRole('heading', { name: 'Log in to Help desk?' }).waitFor()
  await phone.getByText('a server of Help desk').waitFor()
  expect(await phone.locator('.usercode strong').textContent()).toBe('Desk 4')
  await phone.getByLabel('Number on the other screen').fill(body.number)
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()
  await phone.getByRole('button', { name: 'Back' }).click()
  await phone.getByRole('heading', { name: 'Enter the code' }).waitFor()
  expect(await waiting.count()).toBe(0)
})

test('a person who was deleted is asked no more, and the page has the code', async () => {
  const page = await rememberedFor('Leo')
  const sub = decodeClaims(await phoneToken(stage.origin, 'Leo'))?.sub
  const [gateway] = stage.cluster.nodes
  const erased = await request(`${gateway?.internalOrigin}/v1/admin/accounts/${sub}`, {
    method: 'DELETE',
    bearer: testAdminKey,
  })
  expect(erased).toMatchObject({ status: 200 })
  await continueAs(page, 'Leo').click()
  await page.getByText('Your phone cannot be asked now.').waitFor()
  await card(page, 'waiting').locator('img').waitFor()
})
