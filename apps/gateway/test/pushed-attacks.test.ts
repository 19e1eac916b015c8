import { CIBA_GRANT, DEVICE_CODE_GRANT, type WaitingRequests } from '@saoma/protocol'
import { createRedis, type RedisClients } from '@saoma/redis'
import {
  type Certificate,
  type Cluster,
  confirm,
  createAuthority,
  createTicket,
  freePort,
  phoneToken,
  redeem,
  request,
  scan,
  startCluster,
  testAdminKey,
  until,
} from '@saoma/testing'
import { decodeJwt, UnsecuredJWT } from 'jose'
import { type NotificationReceiver, startNotificationReceiver } from './notification-receiver.ts'
import { deskClient, SECRET } from './relying-party.ts'

/*
 * Requests to log in that somebody abuses, and that meet what is half broken: SECURITY.md, "Requests sent to
 * a phone". Each call goes to the other node than the one before.
 */

let cluster: Cluster
let redis: RedisClients
let certificate: Certificate
/** Applications that are told, by what is wrong with their address. */
let receiver: NotificationReceiver
let other: NotificationReceiver
let hidden: NotificationReceiver
let closedPort: number
let turn = 0
const node = () => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? ''

const server = (client_id: string, more: object = {}) => ({ ...deskClient, client_id, client_name: client_id, ...more })
const told = (client_id: string, url: string) =>
  server(client_id, { backchannel_client_notification_endpoint: url, verify: 'tap' })

beforeAll(async () => {
  const authority = createAuthority()
  certificate = authority.issue(['127.0.0.1', '127.0.0.2'])
  receiver = await startNotificationReceiver(certificate)
  other = await startNotificationReceiver(certificate)
  hidden = await startNotificationReceiver(certificate, { host: '127.0.0.2' })
  closedPort = await freePort()
  const clients = [
    ...['desk', 'till', 'call'].map((id) => server(id, { scope: 'openid profile' })),
    told('bank', receiver.url),
    told('closed', `https://127.0.0.1:${closedPort}/answered`),
    told('hidden', hidden.url),
    server('tap', { verify: 'tap' }),
  ]
  cluster = await startCluster({
    nodes: 3,
    env: {
      SAOMA_CLIENTS: JSON.stringify(clients),
      SAOMA_APPLICATION_NETWORKS: '127.0.0.1',
      NODE_EXTRA_CA_CERTS: authority.caFile,
    },
  })
  redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
})
afterAll(async () => {
  await redis.close()
  await cluster.stop()
})

let people = 0
const somebody = async () => {
  const phone = await phoneToken(node(), `person ${people++}`)
  return { phone, sub: String(decodeJwt(phone).sub) }
}
interface Asked {
  auth_req_id: string
  ticket: string
  number: string
  error?: string
  code?: string
}
const post = (client_id: string, form: Record<string, string>, origin = node()) =>
  request<Asked>(`${origin}/oidc/backchannel`, { form: { client_id, client_secret: SECRET, scope: 'openid', ...form } })
const NOTIFIED = ['bank', 'closed', 'hidden']
const ask = async (client_id: string, login_hint: string): Promise<Asked> => {
  const form: Record<string, string> = { login_hint }
  if (NOTIFIED.includes(client_id)) form.client_notification_token = 'a-token-of-the-application'
  const { status, body } = await post(client_id, form)
  if (status !== 200) throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`)
  return body
}
const take = (client_id: string, { auth_req_id }: Pick<Asked, 'auth_req_id'>, origin = node()) =>
  request<{ error?: string; id_token: string; access_token: string }>(`${origin}/oidc/token`, {
    form: { grant_type: CIBA_GRANT, client_id, client_secret: SECRET, auth_req_id },
  })
const inboxOf = async (bearer: string) =>
  (await request<WaitingRequests>(`${node()}/v1/me/requests`, { bearer })).body.requests
const agree = async ({ ticket, number }: Asked, phone: string, [one, two] = [node(), node()]) => {
  await scan(one, ticket, phone)
  return confirm(two, ticket, phone, number ? { json: { number } } : {})
}
/** The time to answer is over. */
const expire = ({ ticket }: Asked) => redis.data.hset(redis.keys.ticket(ticket), 'deadline', Date.now() - 1)
const account = (sub: string, method: string, path = '') =>
  request(`${cluster.nodes[0]?.internalOrigin}/v1/admin/accounts/${sub}${path}`, { method, bearer: testAdminKey })
/** How many calls of applications have gone like this. */
const pings = async (result: 'told' | 'again' | 'failed'): Promise<number> => {
  const pages = await Promise.all(
    cluster.nodes.map(({ internalOrigin }) => request<string>(`${internalOrigin}/metrics`).catch(() => undefined)),
  )
  const counter = new RegExp(`^saoma_application_pings_total\\{result="${result}"\\} (\\d+)$`, 'm')
  return pages.reduce((sum, page) => sum + Number(counter.exec(page?.body ?? '')?.[1] ?? 0), 0)
}
/** Whether the application has yet to be told. */
const isDue = async ({ ticket }: Asked): Promise<boolean> =>
  (await redis.data.zscore(redis.keys.pingsDue(), ticket)) !== null

test('of 24 requests at once, by three applications at three nodes, three reach the phone', async () => {
  const { phone, sub } = await somebody()
  const answers = await Promise.all(
    Array.from({ length: 24 }, (_, i) => post(['desk', 'till', 'call'][i % 3] ?? '', { login_hint: sub })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(3).fill(200), ...Array(21).fill(429)])
  for (const { status, body } of answers)
    if (status === 429) expect(body).toMatchObject({ error: 'access_denied', code: 'RATE_LIMITED' })
  expect(await inboxOf(phone)).toHaveLength(3)
  // Then there is the scan, as always. Others are asked as before.
  const { ticket, device_code } = await createTicket(node())
  await scan(node(), ticket, phone)
  await confirm(node(), ticket, phone)
  expect((await redeem(node(), device_code)).status).toBe(200)
  expect((await inboxOf(phone)).length).toBe(3)
  await ask('desk', (await somebody()).sub)
})

test('nobody is named but by a sub, or by an id token that this application has got', async () => {
  const { phone, sub } = await somebody()
  const asked = await ask('desk', sub)
  await agree(asked, phone)
  const { id_token, access_token } = (await take('desk', asked)).body
  const forged = new UnsecuredJWT({ ...decodeJwt(id_token) }).encode()
  const [head, , signature] = id_token.split('.')
  const changed = Buffer.from(JSON.stringify({ ...decodeJwt(id_token), sub: 'somebody else' })).toString('base64url')
  const tries: [what: string, client: string, form: Record<string, string>][] = [
    ['nobody', 'desk', {}],
    ['two hints', 'desk', { login_hint: sub, id_token_hint: id_token }],
    ['an id token of another application', 'till', { id_token_hint: id_token }],
    ['an id token without a signature', 'desk', { id_token_hint: forged }],
    ['an id token that was changed', 'desk', { id_token_hint: `${head}.${changed}.${signature}` }],
    ['an access token', 'desk', { id_token_hint: access_token }],
    ['a token of the phone', 'desk', { id_token_hint: phone }],
    ['a hint of somebody else', 'desk', { login_hint_token: id_token }],
    ['a name', 'desk', { login_hint: 'person 0' }],
    ['a number', 'desk', { login_hint: '+8613800138000' }],
    ['a pattern', 'desk', { login_hint: '*' }],
    ['a name of a key', 'desk', { login_hint: `{${sub}}` }],
    ['a long text', 'desk', { login_hint: 'x'.repeat(3_000) }],
    ['a person who was never here', 'desk', { login_hint: 'A'.repeat(22) }],
  ]
  for (const [what, client, form] of tries) {
    const { status, body } = await post(client, form)
    expect({ what, status, error: body.error }).toEqual({
      what,
      status: 400,
      error: expect.stringMatching(/^(invalid_request|unknown_user_id)$/),
    })
  }
  expect(await inboxOf(phone)).toEqual([])
  // Its own is one.
  const again = await post('desk', { id_token_hint: id_token })
  expect(again.status).toBe(200)
  expect((await inboxOf(phone)).map(({ ticket }) => ticket)).toEqual([again.body.ticket])
})

test('a request that expires leads nowhere, and makes no room', async () => {
  const { phone, sub } = await somebody()
  const asked = [await ask('desk', sub), await ask('desk', sub), await ask('till', sub)]
  const [waiting, opened, agreed] = asked as [Asked, Asked, Asked]
  await scan(node(), opened.ticket, phone)
  await agree(agreed, phone)
  for (const each of asked) await expire(each)
  expect(await scan(node(), waiting.ticket, phone)).toMatchObject({ body: { code: 'TICKET_EXPIRED' } })
  expect(await confirm(node(), opened.ticket, phone, { json: { number: opened.number } })).toMatchObject({
    body: { code: 'TICKET_EXPIRED' },
  })
  for (const [client, each] of [
    ['desk', waiting],
    ['desk', opened],
    ['till', agreed],
  ] as const)
    expect((await take(client, each)).body.error).toBe('expired_token')
  expect(await inboxOf(phone)).toEqual([])
  // Of three, one was confirmed, and that one makes room.
  await until(
    () => redis.data.hexists(redis.keys.requests(sub), `t:${agreed.ticket}`),
    (there) => there === 0,
  )
  await ask('desk', sub)
  expect((await post('desk', { login_hint: sub })).status).toBe(429)
  // The person may still say what it was.
  const report = `${node()}/v1/me/requests/${waiting.ticket}/report`
  expect(await request(report, { method: 'POST', bearer: phone })).toMatchObject({ body: { code: 'TICKET_EXPIRED' } })
  await redis.data.hdel(redis.keys.requests(sub), ...asked.map(({ ticket }) => `t:${ticket}`))
  expect((await post('desk', { login_hint: sub })).status).toBe(429)
  expect((await post('till', { login_hint: sub })).status).toBe(200)
})

test('a server that polls too fast is told to slow down, on any node, and loses nothing', async () => {
  const { phone, sub } = await somebody()
  const asked = await ask('desk', sub)
  const errors = []
  for (let i = 0; i < 4; i++) errors.push((await take('desk', asked)).body.error)
  expect(errors).toEqual(['authorization_pending', 'slow_down', 'slow_down', 'slow_down'])
  await agree(asked, phone)
  // There is something to get now.
  expect((await take('desk', asked)).status).toBe(200)
  expect((await take('desk', asked)).body.error).toBe('invalid_grant')
})

test('of 20 redemptions at once one succeeds, and none of another application', async () => {
  const { phone, sub } = await somebody()
  const asked = await ask('tap', sub)
  await agree(asked, phone)
  const foreign = await Promise.all(['desk', 'till'].map((client) => take(client, asked)))
  expect(foreign.map(({ body }) => body.error)).toEqual(['invalid_grant', 'invalid_grant'])
  const form = {
    grant_type: DEVICE_CODE_GRANT,
    client_id: 'tap',
    client_secret: SECRET,
    device_code: asked.auth_req_id,
  }
  expect((await request(`${node()}/oidc/token`, { form })).status).toBe(400)
  const taken = await Promise.all(Array.from({ length: 20 }, () => take('tap', asked)))
  const good = taken.filter(({ status }) => status === 200)
  expect(good).toHaveLength(1)
  for (const { body } of taken.filter(({ status }) => status !== 200)) expect(body.error).toBe('invalid_grant')
})

test('who is disabled or deleted is asked nothing, and what waits leads nowhere', async () => {
  const [ann, ben] = [await somebody(), await somebody()]
  const waiting = await ask('desk', ann.sub)
  const agreed = await ask('desk', ann.sub)
  const gone = await ask('bank', ben.sub)
  await agree(agreed, ann.phone)
  expect((await account(ann.sub, 'POST', '/disable')).status).toBe(200)
  expect((await account(ben.sub, 'DELETE')).status).toBe(200)
  expect((await take('desk', agreed)).body.error).toMatch(/^(invalid_grant|access_denied)$/)
  expect((await scan(node(), waiting.ticket, ann.phone)).status).toBeGreaterThanOrEqual(400)
  expect((await take('desk', waiting)).status).toBe(400)
  for (const { sub } of [ann, ben]) {
    const { status, body } = await post('desk', { login_hint: sub })
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'unknown_user_id' })
  }
  expect((await take('bank', gone)).body.error).toMatch(/^(invalid_grant|expired_token)$/)
  await until(
    () => isDue(gone),
    (due) => !due,
  )
  expect(receiver.notifications.filter(({ body }) => body.auth_req_id === gone.auth_req_id)).toEqual([])
})

describe('an application that should be told', () => {
  beforeEach(() => {
    receiver.answer = (res) => void res.writeHead(204).end()
  })
  const answered = async (client: string) => {
    const { phone, sub } = await somebody()
    const asked = await ask(client, sub)
    expect((await agree(asked, phone)).status).toBe(200)
    return asked
  }

  test('is called again if it hangs, and the person does not wait for it', async () => {
    const before = await pings('told')
    receiver.answer = () => {}
    const asked = await answered('bank')
    expect((await receiver.next()).body).toEqual({ auth_req_id: asked.auth_req_id })
    receiver.answer = (res) => void res.writeHead(202).end()
    expect((await receiver.next()).body).toEqual({ auth_req_id: asked.auth_req_id })
    await until(
      () => pings('told'),
      (count) => count === before + 1,
    )
    await until(
      () => isDue(asked),
      (due) => !due,
    )
  })

  test('is called again while nobody listens there', async () => {
    const before = await pings('again')
    const asked = await answered('closed')
    await until(
      () => pings('again'),
      (count) => count > before,
    )
    const late = await startNotificationReceiver(certificate, { port: closedPort })
    expect((await late.next()).body).toEqual({ auth_req_id: asked.auth_req_id })
  })

  test('is followed to no other place', async () => {
    const before = await pings('failed')
    receiver.answer = (res) => void res.writeHead(307, { location: other.url }).end()
    const asked = await answered('bank')
    await receiver.next()
    await until(
      () => pings('failed'),
      (count) => count === before + 1,
    )
    await until(
      () => isDue(asked),
      (due) => !due,
    )
    expect(other.notifications).toEqual([])
  })

  test('is not called in a private network that is not listed', async () => {
    const before = await pings('failed')
    const asked = await answered('hidden')
    await until(
      () => pings('failed'),
      (count) => count === before + 1,
    )
    await until(
      () => isDue(asked),
      (due) => !due,
    )
    expect(hidden.notifications).toEqual([])
    // It may poll.
    expect((await take('hidden', asked)).status).toBe(200)
  })

  test('is called as long as the answer is good, and no longer', async () => {
    receiver.answer = (res) => void res.writeHead(500).end()
    const [asked, lost] = [await answered('bank'), await answered('bank')]
    const of = ({ auth_req_id }: Asked) => receiver.notifications.filter(({ body }) => body.auth_req_id === auth_req_id)
    await until(
      async () => of(asked).length,
      (count) => count >= 2,
    )
    expect(await isDue(asked)).toBe(true)
    expect((await take('bank', asked)).status).toBe(200)
    await expire(lost)
    for (const each of [asked, lost])
      await until(
        () => isDue(each),
        (due) => !due,
      )
    const calls = receiver.notifications.length
    // A call of another request proves that nodes go on looking.
    receiver.answer = (res) => void res.writeHead(204).end()
    const next = await answered('bank')
    await until(
      async () => of(next).length,
      (count) => count === 1,
    )
    expect(receiver.notifications.length).toBe(calls + 1)
  })

  // These end nodes, so they are last.
  test('is told by another node if the one that took the answer dies while it calls', async () => {
    receiver.answer = () => {}
    const { phone, sub } = await somebody()
    const asked = await ask('bank', sub)
    const [first, second, third] = cluster.nodes
    const origins = [second?.origin ?? '', first?.origin ?? ''] as [string, string]
    const count = receiver.notifications.length
    expect((await agree(asked, phone, origins)).status).toBe(200)
    await until(
      async () => receiver.notifications.length,
      (calls) => calls > count,
    )
    await first?.kill()
    receiver.answer = (res) => void res.writeHead(204).end()
    await until(
      async () => receiver.notifications.length,
      (calls) => calls > count + 1,
    )
    expect(receiver.notifications.at(-1)?.body).toEqual({ auth_req_id: asked.auth_req_id })
    expect((await take('bank', asked, third?.origin)).status).toBe(200)
  })

  test('gets its answer though the node dies while it decides', async () => {
    const [, second, third] = cluster.nodes
    const origin = third?.origin ?? ''
    const phone = await phoneToken(origin, 'the last person')
    const form = { login_hint: String(decodeJwt(phone).sub), client_notification_token: 'a-token-of-the-application' }
    const { body: asked } = await post('bank', form, second?.origin)
    await scan(origin, asked.ticket, phone)
    const deciding = confirm(second?.origin ?? '', asked.ticket, phone).catch(() => undefined)
    await Promise.all([deciding, second?.kill()])
    // The phone does not know, so it repeats its answer.
    expect((await confirm(origin, asked.ticket, phone)).status).toBe(200)
    await until(
      async () => receiver.notifications.filter(({ body }) => body.auth_req_id === asked.auth_req_id).length,
      (calls) => calls > 0,
    )
    expect((await take('bank', asked, origin)).status).toBe(200)
  })
})
