import { type Cluster, phoneToken, startCluster } from '@saoma/testing'
import type { LoginOptions } from '../src/login/login.ts'
import { createPage, openBrowser } from './browser.ts'
import { browser } from './environment.ts'
import { approve, finish, loginContract } from './login-contract.ts'
import { startStrictProxy } from './strict-proxy.ts'

let cluster: Cluster
let phone: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  phone = await phoneToken(cluster.origin, '李雷')
})

loginContract(browser, () => cluster)

test('it returns from the long poll to the socket as soon as one gets through', async () => {
  const proxy = await startStrictProxy(cluster.origin)
  const browser = openBrowser({ origin: proxy.origin, random: () => 0.2 })
  browser.login.start()
  await browser.connectedBy('poll')
  proxy.allowSockets()
  await browser.connectedBy('socket')
  expect(browser.login.connection).toBe('socket')
  await finish(browser, cluster, phone)
  expect(browser.statuses.at(-1)).toBe('done')
})

test('a lost answer of the token endpoint is requested again', async () => {
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
  await finish(browser, cluster, phone)
  expect(lost).toBe(4)
})

test('a ticket in the address is redeemed by the cookie of this browser and no other', async () => {
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
  await approve(cluster, ticket, phone)

  const stranger = openBrowser({ origin: cluster.origin, ticket })
  stranger.login.start()
  expect((await stranger.at('waiting')).ticket).not.toBe(ticket)

  const returning = openBrowser({ origin: cluster.origin, ticket, fetch: withCookies })
  returning.login.start()
  expect((await returning.at('done')).tokens.access_token).toEqual(expect.any(String))
})

test('an unreachable server is tried for a while, and then the person is asked', async () => {
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

  /**
   * A browser, and the codes that it was given: on a busy machine one may be over before the page shows it.
   */
  const open = (options: Partial<LoginOptions> = {}) => {
    const codes: string[] = []
    const browser = openBrowser({
      origin: hasty.origin,
      ...options,
      fetch: async (input, init) => {
        const answer = await fetch(input, init)
        if (String(input).endsWith('/device/auth')) codes.push((await answer.clone().json()).ticket)
        return answer
      },
    })
    return { browser, codes }
  }

  test('is replaced automatically a limited number of times, and then by a click', async () => {
    const { browser, codes } = open({ maxRenewals: 1 })
    browser.login.start()
    await browser.at('expired')
    expect(codes).toHaveLength(2)
    browser.login.renew()
    await browser.at('expired')
    expect(codes).toHaveLength(4)
    expect(new Set(codes).size).toBe(4)
  })

  test('is not replaced on a hidden page until somebody looks', async () => {
    const page = createPage()
    const { browser, codes } = open({ page, maxRenewals: 1 })
    page.change(true)
    browser.login.start()
    await browser.at('expired')
    expect(codes).toHaveLength(1)
    const over = browser.next('expired')
    page.change(false)
    await over
    expect(codes).toHaveLength(2)
    expect(new Set(codes).size).toBe(2)
  })
})
