import { type Cluster, connectLogin, createTicket, request, scan, startCluster } from '@saoma/testing'
import type { MessagesPage } from '../src/logic/messages-screen.ts'
import { scanned, show, startPhone } from './phone.ts'

let cluster: Cluster
let origin: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 })
  ;({ origin } = cluster)
})

const WECHATS: [of: string, sent: (own: string) => string][] = [
  ['a WeChat that sends none', () => ''],
  ['developer tools and most phones', () => 'https://servicewechat.com'],
  ['sockets on iOS', () => 'weapp://wechat-game-runtime'],
  ['a WeChat that joins two', (own) => `${own},undefined`],
]

test.each(WECHATS)('a person logs in and hears messages with the Origin of %s', async (_, sent) => {
  const phone = startPhone(cluster, 'Ada', { node: Number.NaN, origin: sent(origin) })
  const { ticket, device_code: deviceCode } = await createTicket(origin)
  const browser = connectLogin(origin)
  await browser.watch(deviceCode)
  const login = phone.login(scanned(ticket))
  await login.reaches('asking')
  login.page.confirm()
  await login.reaches('confirmed')

  const messages = show(phone.program.messages)
  // By its socket and not by polling, which is there for those who get none.
  const { connection } = await messages.when(
    ({ screen }: MessagesPage) => screen.status === 'ready' && screen.connection === 'socket' && screen,
  )
  expect(connection).toBe('socket')
})

describe('WeChat’s Origin opens none of a browser’s doors', () => {
  const headers = { origin: 'https://servicewechat.com' }

  test('a request with a cookie is a browser’s and is refused', async () => {
    const { ticket } = await createTicket(origin)
    const cookie = { ...headers, cookie: 'a=b' }
    expect(await scan(origin, ticket, 'none', { headers: cookie })).toMatchObject({
      status: 403,
      body: { code: 'ORIGIN_NOT_ALLOWED' },
    })
    const handshake = await request(`${origin}/socket.io/?EIO=4&transport=polling`, { headers: cookie })
    expect(handshake).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } })
  })

  test('the token endpoint refuses it with a cookie', async () => {
    const form = { client_id: 'web', grant_type: 'refresh_token', refresh_token: 'x' }
    const answer = await request(`${origin}/oidc/token`, { form, headers: { ...headers, cookie: 'a=b' } })
    expect(answer).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } })
  })

  test('a preflight request gets no permission', async () => {
    const answer = await request(`${origin}/v1/sessions`, {
      method: 'OPTIONS',
      headers: {
        ...headers,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })
})
