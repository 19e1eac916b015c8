import { type Cluster, confirm, phoneToken, reject, scan, startCluster } from '@saoma/testing'
import { decodeClaims } from '../src/claims.ts'
import type { LoginEvents } from '../src/login.ts'
import type { LoginState } from '../src/login-state.ts'
import { createMemoryStorage } from '../src/storage.ts'
import { type Browser, createPage, openBrowser } from './browser.ts'
import { heard } from './heard.ts'
import { startStrictProxy } from './strict-proxy.ts'

let cluster: Cluster
let phone: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  phone = await phoneToken(cluster.origin, '李雷')
})

const approve = async (ticket: string) => {
  await scan(cluster.origin, ticket, phone)
  await confirm(cluster.origin, ticket, phone)
}

const finish = async (browser: Browser) => {
  const { ticket } = await browser.at('waiting')
  const done = browser.next('done')
  await approve(ticket)
  return done
}

test('scanned, confirmed and redeemed over the socket', async () => {
  const browser = openBrowser({ origin: cluster.origin })
  browser.login.start()
  const { ticket, qr, userCode } = await browser.at('waiting')
  expect(qr).toBe(`${cluster.origin}/v1/tickets/${ticket}/qr`)
  expect(userCode).toMatch(/^[A-Z]{4}-[A-Z]{4}$/)
  expect(browser.login.connection).toBe('socket')

  const scanned = browser.next('scanned')
  const { body } = await scan(cluster.origin, ticket, phone)
  expect(await scanned).toMatchObject({ ticket, userCode: body.request.userCode })
  const done = browser.next('done')
  await confirm(cluster.origin, ticket, phone)
  expect(decodeClaims((await done).tokens.id_token)).toMatchObject({ name: '李雷', sid: expect.any(String) })
  expect(browser.statuses).toEqual(['creating', 'waiting', 'scanned', 'confirmed', 'done'])
})

test('with WebSockets blocked it logs in over the long poll', async () => {
  const proxy = await startStrictProxy(cluster.origin)
  const browser = openBrowser({ origin: proxy.origin })
  browser.login.start()
  await browser.connectedBy('poll')
  expect((await finish(browser)).tokens.refresh_token).toEqual(expect.any(String))
})

test('it returns from the long poll to the socket as soon as one gets through', async () => {
  const proxy = await startStrictProxy(cluster.origin)
  const browser = openBrowser({ origin: proxy.origin, random: () => 0.2 })
  browser.login.start()
  await browser.connectedBy('poll')
  proxy.allowSockets()
  await browser.connectedBy('socket')
  await finish(browser)
})

test('without any transport it logs in over the long poll', async () => {
  const browser = openBrowser({ origin: cluster.origin, transports: [] })
  browser.login.start()
  await browser.at('waiting')
  expect(browser.login.connection).toBe('poll')
  await finish(browser)
})

test('declined on the phone: nobody is logged in, and a click shows a new code', async () => {
  const browser = openBrowser({ origin: cluster.origin })
  browser.login.start()
  const { ticket } = await browser.at('waiting')
  await scan(cluster.origin, ticket, phone)
  const rejected = browser.next('rejected')
  await reject(cluster.origin, ticket, phone)
  await rejected
  const renewed = browser.next('waiting')
  browser.login.renew()
  expect((await renewed).ticket).not.toBe(ticket)
  await finish(browser)
})

test('a page reload goes on with the same code', async () => {
  const storage = createMemoryStorage()
  const before = openBrowser({ origin: cluster.origin, storage })
  before.login.start()
  const { ticket } = await before.at('waiting')
  before.login.close()
  await approve(ticket)

  const after = openBrowser({ origin: cluster.origin, storage })
  after.login.start()
  await after.at('done')
  expect(after.statuses).toEqual(['creating', 'confirmed', 'done'])
})

test('of two tabs that hold the same code one is logged in, and the other shows a new one', async () => {
  const storage = createMemoryStorage()
  const one = openBrowser({ origin: cluster.origin, storage })
  one.login.start()
  const { ticket } = await one.at('waiting')
  const two = openBrowser({ origin: cluster.origin, storage })
  two.login.start()
  expect((await two.at('waiting')).ticket).toBe(ticket)

  // Whoever comes second is refused, or has heard first that the code is used up.
  const ends = [one, two].map(({ login }) =>
    heard<LoginEvents>(login)(
      'state',
      (state): state is LoginState =>
        state.status === 'done' || state.status === 'failed' || (state.status === 'waiting' && state.ticket !== ticket),
    ),
  )
  await approve(ticket)
  const results = (await Promise.all(ends)).map((state) => (state.status === 'failed' ? state.code : state.status))
  expect(results.filter((result) => result === 'done')).toHaveLength(1)
  expect(results.filter((result) => result === 'invalid_grant' || result === 'waiting')).toHaveLength(1)
})

test('an answer that is lost on the way to the token endpoint is asked for again', async () => {
  let lost = 0
  const browser = openBrowser({
    origin: cluster.origin,
    random: () => 0,
    fetch: (input, init) =>
      String(input).endsWith('/oidc/token') && lost++ < 3
        ? Promise.reject(new TypeError('no route'))
        : fetch(input, init),
  })
  browser.login.start()
  await finish(browser)
  expect(lost).toBe(4)
})

test('a ticket handed over in the address is redeemed by the cookie of this browser, and by no other', async () => {
  const jar: string[] = []
  const withCookies: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers)
    if (jar.length > 0) headers.set('cookie', jar.join('; '))
    const answer = await fetch(input, { ...init, headers })
    jar.push(...answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? ''))
    return answer
  }
  const first = openBrowser({ origin: cluster.origin, fetch: withCookies })
  first.login.start()
  const { ticket } = await first.at('waiting')
  first.login.close()
  await approve(ticket)

  const stranger = openBrowser({ origin: cluster.origin, ticket })
  stranger.login.start()
  expect((await stranger.at('waiting')).ticket).not.toBe(ticket)

  const returning = openBrowser({ origin: cluster.origin, ticket, fetch: withCookies })
  returning.login.start()
  expect((await returning.at('done')).tokens.access_token).toEqual(expect.any(String))
})

test('a server that cannot be reached is tried a while, and then the person is asked', async () => {
  let asked = 0
  const browser = openBrowser({
    origin: cluster.origin,
    random: () => 0,
    fetch: () => {
      asked++
      return Promise.reject(new TypeError('no route'))
    },
  })
  browser.login.start()
  expect(await browser.at('failed')).toMatchObject({ code: 'NETWORK', react: 'retry' })
  expect(asked).toBe(8)
})

describe('a code that nobody scans', () => {
  let hasty: Cluster
  beforeAll(async () => {
    hasty = await startCluster({ nodes: 1, env: { SAOMA_SCAN_SECONDS: '1' } })
  })

  test('is replaced by itself, a bounded number of times, and then by a click', async () => {
    const browser = openBrowser({ origin: hasty.origin, maxRenewals: 1 })
    browser.login.start()
    const first = await browser.at('waiting')
    const second = await browser.next('waiting')
    expect(second.ticket).not.toBe(first.ticket)
    await browser.next('expired')
    browser.login.renew()
    expect((await browser.next('waiting')).ticket).not.toBe(second.ticket)
  })

  test('is not replaced on a page nobody sees, until somebody does', async () => {
    const page = createPage()
    const browser = openBrowser({ origin: hasty.origin, page })
    browser.login.start()
    const { ticket } = await browser.at('waiting')
    page.change(true)
    await browser.next('expired')
    const renewed = browser.next('waiting')
    page.change(false)
    expect((await renewed).ticket).not.toBe(ticket)
  })
})
