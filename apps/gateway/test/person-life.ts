import type { Page, TokenSet } from '@saoma/protocol'
import {
  attemptPhoneToken,
  confirm,
  connectLive,
  createTicket,
  type Gateway,
  type LiveClient,
  onCleanup,
  publish,
  redeem,
  refresh,
  request,
  type Simulator,
  scan,
  startGateway,
  startSimulator,
  testAdminKey,
  testApiKey,
} from '@saoma/testing'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'

/* A company with two nodes, and people who leave traces everywhere. */

export const SECRET = 'a secret of tests, which nobody keeps'

export interface Company {
  nodes: readonly [Gateway, Gateway]
  simulator: Simulator
  business: BusinessServer
}

export const openCompany = async (redisUrl: string, env: Record<string, string> = {}): Promise<Company> => {
  const business = await startBusinessServer(json({ allow: true }))
  const simulator = await startSimulator({ env: { WECHAT_OPEN_PLATFORM: 'the company' } })
  const start = (nodeId: string) =>
    startGateway({
      redisUrl,
      nodeId,
      origin: 'http://company.test',
      env: {
        ...simulator.env,
        SAOMA_DEMO: 'false',
        SAOMA_ACCOUNT_URL: business.url,
        SAOMA_ACCOUNT_SECRET: 'a secret of the account hook, of tests',
        ...env,
      },
    })
  const [a, b] = await Promise.all([start('a'), start('b')])
  if (!a || !b) throw new Error('there are two nodes')
  return { nodes: [a, b], simulator, business }
}

export const claimsOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** A call of an administrator. */
export const admin = <T = unknown>({ internalOrigin }: Gateway, method: string, path: string, body?: unknown) =>
  request<T>(`${internalOrigin}/v1/admin${path}`, {
    method,
    bearer: testAdminKey,
    ...(body === undefined ? {} : { json: body }),
  })

/** A phone's token, as the mini-program gets it. */
export const phoneOf = async ({ simulator, nodes }: Company, person: string, headers: Record<string, string> = {}) => {
  const { body } = await request<{ js_code: string }>(`${simulator.origin}/simulator/login`, { json: { person } })
  return attemptPhoneToken(nodes[0].origin, body.js_code, { headers })
}

/** A login that is confirmed, and whose page has no tokens yet. */
export const confirmed = async (origin: string, phone: string, headers: Record<string, string> = {}) => {
  const created = await createTicket(origin, { headers })
  await scan(origin, created.ticket, phone, { headers })
  const { status } = await confirm(origin, created.ticket, phone, { headers })
  if (status !== 200) throw new Error(`expected 200, got ${status}`)
  return created
}

/** What is known of a person, and must not be found afterwards. */
export interface Person {
  sub: string
  openid: string
  unionid: string
  name: string
  number: string
  address: string
  phone: string
  page: TokenSet
  live: LiveClient
  /** A ticket that the phone has scanned, and one that it has confirmed. */
  scanned: string
  confirmed: string
}

let addresses = 0
let meetings: Promise<unknown> = Promise.resolve()
/** One first meeting after another: the company is asked about the one that it has an answer for. */
const meetAlone = <T>(meet: () => Promise<T>): Promise<T> => {
  const met = meetings.then(meet)
  meetings = met.catch(() => {})
  return met
}

/** Somebody logs in, reads, writes, is written to, refreshes, logs out, and goes on. */
export const live = async (company: Company, name: string): Promise<Person> => {
  const [a, b] = company.nodes
  const address = `203.0.113.${100 + ++addresses}`
  const headers = { 'x-forwarded-for': address, 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' }
  const number = `+86138001380${10 + addresses}`
  const { phone, identity } = await meetAlone(async () => {
    company.business.answer = json({ allow: true, claims: { name: `${name} Secret`, phone_number: number } })
    const { access_token: phone } = (await phoneOf(company, name, headers)).body
    return { phone, ...(company.business.questions.at(-1)?.body as { identity: { id: string; union: string } }) }
  })
  const { sub } = claimsOf(phone)

  // Two sessions. The first is ended with a reason, so its last refresh token is kept for a day.
  const logIn = async () => (await redeem(b.origin, (await confirmed(a.origin, phone, headers)).device_code)).body
  const first = await logIn()
  const ended = await request(`${a.origin}/v1/users/${sub}/end`, {
    method: 'POST',
    bearer: testApiKey,
    json: { reason: 'Once more, please.' },
  })
  if (ended.status !== 202 || !first.refresh_token) throw new Error('the first session did not end')
  // A third one was somebody else. It began with a code that the person had typed.
  const typed = await createTicket(a.origin, { headers })
  await request(`${b.origin}/v1/user-codes/${typed.user_code}`, { bearer: phone, headers })
  await scan(a.origin, typed.ticket, phone, { headers })
  await confirm(b.origin, typed.ticket, phone, { headers })
  const { sid } = claimsOf((await redeem(a.origin, typed.device_code)).body.access_token)
  const report = { method: 'POST', bearer: phone, headers }
  const reported = await request(`${b.origin}/v1/sessions/${sid}/report`, report)
  if (reported.status !== 200) throw new Error(`expected 200, got ${reported.status}`)
  const begun = await logIn()
  const page = (await refresh(b.origin, begun.refresh_token, { headers })).body

  const token = page.access_token
  const socket = connectLive(a.origin, { token, extraHeaders: headers })
  onCleanup(() => socket.close())
  for (const channel of ['@user', `room:open-of-${sub}`]) {
    const subscribed = await socket.subscribe({ channel })
    if (!subscribed.ok) throw new Error(`refused: ${subscribed.code}`)
  }
  const idempotencyKey = `order of ${name}`
  const own = { channel: `user:${sub}`, event: 'order', data: { to: `${name} Secret`, number }, idempotencyKey }
  await publish(a.origin, own)
  await publish(b.origin, { channel: `user:${sub}`, event: 'order', data: { nth: 2 } })
  for (let i = 0; i < 4; i++) await socket.publish({ channel: `room:open-of-${sub}`, event: 'said', data: 'hello' })
  const read = { method: 'POST', bearer: token, json: { offset: 1 } }
  await request<Page>(`${b.origin}/v1/channels/@user/read`, read)
  await request(`${a.origin}/v1/user-codes/ABCD-EFGH`, { bearer: phone })

  const waiting = await createTicket(b.origin, { headers })
  await scan(b.origin, waiting.ticket, phone, { headers })
  const agreed = await confirmed(b.origin, phone, headers)
  return {
    ...{ sub, name: `${name} Secret`, number, address, phone, page, live: socket },
    ...{ openid: identity.id, unionid: identity.union },
    ...{ scanned: waiting.device_code, confirmed: agreed.device_code },
  }
}

/** All texts by which somebody would be recognized. */
export const tracesOf = ({ sub, openid, unionid, name, number, address }: Person): string[] => [
  ...[sub, openid, unionid, name, number, address],
  number.slice(3),
]
