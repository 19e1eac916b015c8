import { type Cluster, confirm, phoneToken, reject, request, scan, startCluster } from '@saoma/testing'
import { openBrowser } from './browser.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 })
})

test('a login has an address for the same phone only while it shows a code', async () => {
  const { origin } = cluster
  const { login, at, next } = openBrowser({ origin })
  const none = { ok: false, code: 'TICKET_NOT_FOUND', react: 'renew' }
  expect(await login.link()).toMatchObject(none)
  login.start()
  const { ticket } = await at('waiting')
  expect(await login.link()).toEqual({
    ok: true,
    value: { url: `${origin}/phone?ticket=${ticket}`, expiresIn: expect.closeTo(120, -2) },
  })

  const token = await phoneToken(origin, 'li')
  await scan(origin, ticket, token)
  await at('scanned')
  expect(await login.link()).toMatchObject({ ok: false, code: 'TICKET_TAKEN' })
  await reject(origin, ticket, token)
  await at('rejected')
  const renewed = next('waiting')
  login.renew()
  const second = (await renewed).ticket
  expect(await login.link()).toMatchObject({ value: { url: `${origin}/phone?ticket=${second}` } })
  login.close()
  expect(await login.link()).toMatchObject(none)
})

test('a link that is unavailable takes nothing from the code', async () => {
  const { origin } = cluster
  const cut: typeof fetch = (url, init) =>
    `${url}`.endsWith('/link') ? Promise.reject(new TypeError('no network')) : fetch(url, init)
  const { login, at, statuses } = openBrowser({ origin, fetch: cut })
  login.start()
  const { ticket, qr } = await at('waiting')
  expect(await login.link()).toMatchObject({ ok: false, code: 'NETWORK', react: 'retry' })
  expect([login.state.status, statuses]).toEqual(['waiting', ['creating', 'waiting']])
  expect((await request(qr)).status).toBe(200)
  const token = await phoneToken(origin, 'li')
  await scan(origin, ticket, token)
  await confirm(origin, ticket, token)
  await at('done')
})
