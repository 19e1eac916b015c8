import { DEVICE_CODE_GRANT } from '@saoma/protocol'
import { confirm, createAuthority, createTicket, redeem, request, scan, testAdminKey, until } from '@saoma/testing'
import { decodeJwt, UnsecuredJWT } from 'jose'
import { startNotificationReceiver } from './notification-receiver.ts'
import { type Asked, server, startPushedStage } from './pushed-stage.ts'
import { SECRET } from './relying-party.ts'

/*
 * Requests to log in that somebody abuses: SECURITY.md, "Requests sent to a phone". Each call goes to the
 * other node than the one before.
 */

const authority = createAuthority()
const receiver = await startNotificationReceiver(authority.issue(['127.0.0.1']))
const { cluster, redis, node, somebody, inboxOf, post, ask, take, agree, expire, isDue } = await startPushedStage(
  [
    ...['desk', 'till', 'call'].map((id) => server(id, { scope: 'openid profile' })),
    server('bank', { backchannel_client_notification_endpoint: receiver.url, verify: 'tap' }),
    server('tap', { verify: 'tap' }),
  ],
  { SAOMA_APPLICATION_NETWORKS: '127.0.0.1', NODE_EXTRA_CA_CERTS: authority.caFile },
)

const account = (sub: string, method: string, path = '') =>
  request(`${cluster.nodes[0]?.internalOrigin}/v1/admin/accounts/${sub}${path}`, { method, bearer: testAdminKey })

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
