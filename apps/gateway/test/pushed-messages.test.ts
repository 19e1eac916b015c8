import { WX_CODE_GRANT } from '@saoma/protocol'
import {
  attemptPhoneToken,
  type Cluster,
  confirm,
  createTicket,
  type Line,
  redeem,
  request,
  scan,
  startCluster,
  testAdminKey,
  until,
} from '@saoma/testing'
import { decodeJwt } from 'jose'
import { deskClient, SECRET } from './relying-party.ts'

/*
 * The subscription message of WeChat about a request to log in (WECHAT_LOGIN_TEMPLATE). It is a hint:
 * whatever WeChat does, the request is in the person's list. Each request goes to the other node than the
 * one before.
 */

const TEMPLATE = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde'
const SEND = '/cgi-bin/message/subscribe/send'
const FIRST = 'wx0000000000000001'
const second = { appid: 'wx0000000000000002', secret: 'fedcba9876543210fedcba9876543210' }
const LONG = 'The front desk of the northern building'

let cluster: Cluster
const lines: Line[] = []
let turn = 0
const node = () => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? ''

beforeAll(async () => {
  const apps = JSON.stringify([second])
  cluster = await startCluster({
    nodes: 2,
    simulator: { env: { WECHAT_APPS: apps, WECHAT_OPEN_PLATFORM: 'the company' } },
    env: {
      SAOMA_DEMO: 'false',
      SAOMA_CLIENTS: JSON.stringify([deskClient, { ...deskClient, client_id: 'north', client_name: LONG }]),
      WECHAT_APPS: apps,
      WECHAT_LOGIN_TEMPLATE: `${TEMPLATE} thing1=app time2=time`,
    },
    onLine: (_, line) => lines.push(line),
  })
})
afterAll(() => cluster.stop())
beforeEach(() => {
  lines.length = 0
})
afterEach(() => request(`${cluster.simulator?.origin}/simulator/faults`, { method: 'DELETE' }))

const simulator = async <T>(path: string, json?: object) =>
  (await request<T>(`${cluster.simulator?.origin}/simulator/${path}`, json ? { json } : {})).body
/** Somebody's phone, in one of the mini-programs. */
const phoneOf = async (person: string, appid = FIRST) => {
  const { js_code } = await simulator<{ js_code: string }>('login', { person, appid })
  const grant = { grant_type: WX_CODE_GRANT, client_id: 'phone', code: js_code }
  const { body } = await attemptPhoneToken(node(), js_code, appid === FIRST ? {} : { form: { ...grant, app: appid } })
  return { phone: body.access_token, sub: String(decodeJwt(body.access_token).sub) }
}
const agree = (person: string, appid = FIRST) => simulator('messages/agree', { person, template: TEMPLATE, appid })
type Message = { appid: string; to: string; template: string; page: string; data: Record<string, { value: string }> }
const messages = async () => (await simulator<{ messages: Message[] }>('messages')).messages
const sends = async () => (await simulator<{ calls: Record<string, number> }>('counters')).calls[SEND] ?? 0
const ask = async (sub: string, client_id = 'desk') => {
  const form = { client_id, client_secret: SECRET, scope: 'openid', login_hint: sub }
  const { status, body } = await request<{ ticket: string; number: string }>(`${node()}/oidc/backchannel`, { form })
  expect(status).toBe(200)
  return body
}
const listOf = async (phone: string) =>
  (await request<{ requests: { ticket: string }[] }>(`${node()}/v1/me/requests`, { bearer: phone })).body.requests
const complaints = () => lines.filter(({ json }) => json?.level === 'warn' || json?.level === 'error')

test('one consent brings one message, and a request without one is in the list all the same', async () => {
  const { phone, sub } = await phoneOf('li')
  await agree('li')
  const before = await sends()
  const asked = [await ask(sub), await ask(sub)]
  // Each node has asked WeChat, and one of them was refused with 43101.
  await until(sends, (count) => count === before + 2)
  const [message, ...more] = await until(messages, ({ length }) => length > 0)
  expect(more).toEqual([])
  expect(message).toEqual({
    appid: FIRST,
    to: expect.any(String),
    template: TEMPLATE,
    page: 'pages/login/index',
    data: { thing1: { value: 'Desk' }, time2: { value: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d$/) } },
  })
  expect((await listOf(phone)).map(({ ticket }) => ticket)).toEqual(asked.map(({ ticket }) => ticket).reverse())
  // Usual business: nobody is alarmed, and no call counts as failed.
  expect(complaints()).toEqual([])
  for (const { internalOrigin } of cluster.nodes)
    expect((await request<string>(`${internalOrigin}/metrics`)).body).toMatch(
      /^saoma_wechat_total\{event="refused"\} 0$/m,
    )
})

test('the audit has each request, with a message or without one', async () => {
  const { phone, sub } = await phoneOf('wang')
  const { ticket, number } = await ask(sub)
  await scan(node(), ticket, phone)
  await confirm(node(), ticket, phone, { json: { number } })
  const entries = await until(
    async () => {
      const path = `/v1/admin/audit?person=${sub}&kind=login.pushed`
      const answer = await request<{ entries: object[] }>(`${cluster.nodes[0]?.internalOrigin}${path}`, {
        bearer: testAdminKey,
      })
      return answer.body.entries
    },
    ({ length }) => length > 0,
  )
  expect(entries).toEqual([expect.objectContaining({ kind: 'login.pushed', person: sub, ticket, client: 'desk' })])
})

test('a person with two mini-programs is told by the one that has the consent', async () => {
  const { sub } = await phoneOf('zhao')
  expect((await phoneOf('zhao', second.appid)).sub).toBe(sub)
  await agree('zhao', second.appid)
  const before = (await messages()).length
  await ask(sub, 'north')
  const [message] = (await until(messages, ({ length }) => length > before)).filter(({ appid }) => appid !== FIRST)
  // WeChat takes twenty characters.
  expect(message).toMatchObject({ appid: second.appid, data: { thing1: { value: LONG.slice(0, 20) } } })
})

test.each([
  ['has no such template', { kind: 'errcode', errcode: 40_037 }, /no such template: check WECHAT_LOGIN_TEMPLATE/],
  [
    'has a template with other fields',
    { kind: 'errcode', errcode: 47_003 },
    /other fields: check WECHAT_LOGIN_TEMPLATE/,
  ],
  ['is away', { kind: 'down' }, /./],
  ['answers with a page of somebody else', { kind: 'garbage' }, /./],
])('if WeChat %s, the operator is told and the login goes on', async (what, fault, words) => {
  const { phone, sub } = await phoneOf(`chen ${what}`)
  await simulator('faults', { path: SEND, ...fault })
  const { ticket } = await ask(sub)
  const told = await until(
    async () => complaints(),
    ({ length }) => length > 0,
  )
  expect(told.map(({ text }) => text).join()).toMatch(words)
  // What an operator reads names nobody.
  expect(told.map(({ text }) => text).join()).not.toContain(sub)
  expect((await listOf(phone)).map((each) => each.ticket)).toEqual([ticket])
})

test('nobody waits for a slow WeChat', async () => {
  const { phone, sub } = await phoneOf('sun')
  await simulator('faults', { path: SEND, kind: 'slow', ms: 60_000 })
  const { ticket } = await ask(sub)
  expect((await listOf(phone)).map((each) => each.ticket)).toEqual([ticket])
  const other = await createTicket(node())
  await scan(node(), other.ticket, phone)
  await confirm(node(), other.ticket, phone)
  expect((await redeem(node(), other.device_code)).status).toBe(200)
})
