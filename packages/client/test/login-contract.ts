import { type Cluster, confirm, phoneToken, reject, scan } from '@saoma/testing'
import { decodeClaims } from '../src/core/claims.ts'
import { createMemoryStorage } from '../src/core/storage.ts'
import type { LoginEvents, LoginOptions } from '../src/login/login.ts'
import type { LoginState } from '../src/login/login-state.ts'
import { type Browser, openBrowser } from './browser.ts'
import type { Environment } from './environment.ts'
import { heard } from './heard.ts'
import { startStrictProxy } from './strict-proxy.ts'

/** A phone that has the code approves it. */
export const approve = async (cluster: Cluster, ticket: string, phone: string): Promise<void> => {
  await scan(cluster.origin, ticket, phone)
  await confirm(cluster.origin, ticket, phone)
}

export const finish = async (browser: Browser, cluster: Cluster, phone: string) => {
  const { ticket } = await browser.at('waiting')
  const done = browser.next('done')
  await approve(cluster, ticket, phone)
  return done
}

/** What a login may expect of its transports, wherever the page is open. */
export const loginContract = ({ surroundings }: Environment, at: () => Cluster) => {
  let cluster: Cluster
  let phone: string

  beforeAll(async () => {
    cluster = at()
    phone = await phoneToken(cluster.origin, '李雷')
  })

  const open = (options: LoginOptions) => openBrowser({ ...surroundings(), ...options })

  test('a ticket is scanned, confirmed and redeemed over the socket', async () => {
    const browser = open({ origin: cluster.origin })
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
    const browser = open({ origin: proxy.origin })
    browser.login.start()
    await browser.connectedBy('poll')
    expect((await finish(browser, cluster, phone)).tokens.refresh_token).toEqual(expect.any(String))
  })

  test('without any transport it logs in over the long poll', async () => {
    const browser = open({ origin: cluster.origin, transports: [] })
    browser.login.start()
    await browser.at('waiting')
    expect(browser.login.connection).toBe('poll')
    await finish(browser, cluster, phone)
  })

  test('a decline on the phone logs nobody in, and a click shows a new code', async () => {
    const browser = open({ origin: cluster.origin })
    browser.login.start()
    const { ticket } = await browser.at('waiting')
    await scan(cluster.origin, ticket, phone)
    const rejected = browser.next('rejected')
    await reject(cluster.origin, ticket, phone)
    await rejected
    const renewed = browser.next('waiting')
    browser.login.renew()
    expect((await renewed).ticket).not.toBe(ticket)
    await finish(browser, cluster, phone)
  })

  test('a page reload keeps the same code', async () => {
    const storage = createMemoryStorage()
    const before = open({ origin: cluster.origin, storage })
    before.login.start()
    const { ticket } = await before.at('waiting')
    before.login.close()
    await approve(cluster, ticket, phone)

    const after = open({ origin: cluster.origin, storage })
    after.login.start()
    await after.at('done')
    expect(after.statuses).toEqual(['creating', 'confirmed', 'done'])
  })

  test('of two tabs with the same code one is logged in, and the other shows a new code', async () => {
    const storage = createMemoryStorage()
    const one = open({ origin: cluster.origin, storage })
    one.login.start()
    const { ticket } = await one.at('waiting')
    // Of another page, with what the first one has kept.
    const two = open({ origin: cluster.origin, storage: { ...storage } })
    two.login.start()
    expect((await two.at('waiting')).ticket).toBe(ticket)

    // Whoever comes second is refused, or has heard first that the code is used up.
    const ends = [one, two].map(({ login }) =>
      heard<LoginEvents>(login)(
        'state',
        (state): state is LoginState =>
          state.status === 'done' ||
          state.status === 'failed' ||
          (state.status === 'waiting' && state.ticket !== ticket),
      ),
    )
    await approve(cluster, ticket, phone)
    const results = (await Promise.all(ends)).map((state) => (state.status === 'failed' ? state.code : state.status))
    expect(results.toSorted()).toEqual(['done', 'waiting'])
  })
}
