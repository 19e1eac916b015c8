import { CIBA_GRANT } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import {
  confirm,
  connectLive,
  createAuthority,
  onCleanup,
  poll,
  reject,
  request,
  scan,
  startCluster,
  until,
} from '@saoma/testing'
import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import { startNotificationReceiver } from './notification-receiver.ts'
import { createPeople, server as pushing } from './pushed-stage.ts'
import { discover, SECRET } from './relying-party.ts'

/*
 * Logins that an application asks for on the person's phone (OpenID CIBA Core), by an independent library.
 * Each request goes to the other node than the one before.
 */

/** A server that asks for logins. */
const server = (id: string, more: object = {}) =>
  pushing(id, { grant_types: [CIBA_GRANT, 'refresh_token'], scope: 'openid profile offline_access', ...more })

const authority = createAuthority()
const receiver = await startNotificationReceiver(authority.issue(['127.0.0.1']))
const clients = [
  server('desk'),
  server('till', { verify: 'tap' }),
  server('bank', { backchannel_client_notification_endpoint: receiver.url, verify: 'tap' }),
  server('guest', { party: 'third' }),
  server('wiki', { grant_types: ['authorization_code'], redirect_uris: ['https://wiki.example.com/callback'] }),
]
const cluster = await startCluster({
  nodes: 2,
  env: {
    SAOMA_CLIENTS: JSON.stringify(clients),
    SAOMA_APPLICATION_NETWORKS: '127.0.0.1',
    NODE_EXTRA_CA_CERTS: authority.caFile,
  },
})
const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
onCleanup(() => redis.close())
const { node, somebody, inboxOf } = createPeople(cluster)

const application = async (id: string): Promise<client.Configuration> => {
  const config = await discover(cluster.origin, id)
  config[client.customFetch] = (url, options) => fetch(url.replace(cluster.origin, node()), options as RequestInit)
  return config
}

const desk = await application('desk')

interface Asked extends client.BackchannelAuthenticationResponse {
  ticket: string
  number?: string
}
const ask = async (config: client.Configuration, sub: string, more: Record<string, string> = {}): Promise<Asked> =>
  (await client.initiateBackchannelAuthentication(config, {
    scope: 'openid profile offline_access',
    login_hint: sub,
    ...more,
  })) as unknown as Asked
const redeem = (config: client.Configuration, { auth_req_id }: Pick<Asked, 'auth_req_id'>) =>
  client.genericGrantRequest(config, CIBA_GRANT, { auth_req_id })
const errorOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error: { error?: string; message: string }) => error.error ?? error.message,
  )
const report = (phone: string, ticket: string) =>
  request(`${node()}/v1/me/requests/${ticket}/report`, { method: 'POST', bearer: phone })

test('a server asks, the phone lists it, and the yes with the number logs in', async () => {
  const { phone, sub } = await somebody()
  const asked = await ask(desk, sub, { binding_message: 'Desk 4' })
  expect(asked).toMatchObject({ expires_in: 120, interval: 5, number: expect.stringMatching(/^[1-9]\d$/) })
  expect(await errorOf(redeem(desk, asked))).toBe('authorization_pending')
  const { ticket, number } = asked
  const waiting = { ticket, client: 'desk', app: 'desk', message: 'Desk 4', expiresIn: expect.any(Number) }
  expect(await inboxOf(phone)).toEqual([{ ...waiting, requestedAt: expect.any(String) }])

  const scanned = await scan(node(), ticket, phone)
  expect(scanned.body).toMatchObject({
    request: { app: 'desk', userCode: '', pushed: { message: 'Desk 4' } },
    sameNetwork: false,
    verification: 'number',
  })
  expect(JSON.stringify(scanned.body)).not.toContain(`"${number}"`)
  expect(await confirm(node(), ticket, phone)).toMatchObject({ status: 409, body: { code: 'VERIFICATION_REQUIRED' } })
  expect(await confirm(node(), ticket, phone, { json: { number } })).toMatchObject({ status: 200 })
  expect(await inboxOf(phone)).toEqual([])
  const tokens = await redeem(desk, asked)
  expect(tokens.claims()).toMatchObject({ sub, acr: 'urn:saoma:acr:number', amr: ['mca', 'user'] })
  expect(await errorOf(redeem(desk, asked))).toBe('invalid_grant')

  const refreshed = await client.refreshTokenGrant(desk, tokens.refresh_token ?? '')
  expect(decodeJwt(refreshed.access_token)).toMatchObject({ sub, acr: 'urn:saoma:acr:number' })
  const { body } = await request<{ sessions: { client: string }[] }>(`${node()}/v1/sessions`, { bearer: phone })
  expect(body.sessions.map(({ client }) => client)).toEqual(['desk'])
})

test('the server follows its request as a page does, and learns of a no', async () => {
  const { phone, sub } = await somebody()
  const asked = await ask(desk, sub)
  const following = poll(node(), asked.auth_req_id, { after: 1 })
  await scan(node(), asked.ticket, phone)
  expect((await following).body).toMatchObject({ status: 'scanned', number: asked.number })
  await reject(node(), asked.ticket, phone)
  expect(await errorOf(redeem(desk, asked))).toBe('access_denied')
})

test('nobody else may answer, and no other application redeems', async () => {
  const { phone, sub } = await somebody()
  const other = await somebody()
  const asked = await ask(desk, sub)
  for (const act of [scan, confirm, reject])
    expect(await act(node(), asked.ticket, other.phone)).toMatchObject({ body: { code: 'TICKET_TAKEN' } })
  expect(await inboxOf(other.phone)).toEqual([])
  expect(await report(other.phone, asked.ticket)).toMatchObject({ status: 404 })
  await scan(node(), asked.ticket, phone)
  await confirm(node(), asked.ticket, phone, { json: { number: asked.number } })
  expect(await errorOf(redeem(await application('till'), asked))).toBe('invalid_grant')
  // The same text as a device code is none.
  const asDevice = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: asked.auth_req_id }
  const device = await request(`${node()}/oidc/token`, { form: { ...asDevice, client_id: 'web' } })
  expect(device).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect((await redeem(desk, asked)).claims()?.sub).toBe(sub)
})

test('what is asked for is checked before anybody is asked', async () => {
  const { phone, sub } = await somebody()
  expect(await errorOf(ask(desk, 'nobody'))).toBe('unknown_user_id')
  expect(await errorOf(ask(desk, sub, { binding_message: 'x'.repeat(41) }))).toBe('invalid_binding_message')
  expect(await errorOf(ask(desk, sub, { binding_message: 'two\nlines' }))).toBe('invalid_binding_message')
  expect(await errorOf(ask(desk, sub, { requested_expiry: '-1' }))).toBe('invalid_request')
  expect(await errorOf(ask(desk, sub, { acr_values: 'urn:saoma:acr:network' }))).not.toBe('no error')
  expect(await errorOf(ask(await application('wiki'), sub))).toBe('invalid_request')
  const noSecret = await request(`${node()}/oidc/backchannel`, {
    form: { client_id: 'desk', scope: 'openid', login_hint: sub },
  })
  expect(noSecret).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  expect(await inboxOf(phone)).toEqual([])
  expect((await ask(desk, sub, { requested_expiry: '99999' })).expires_in).toBe(600)
})

test('a person is asked three times in ten minutes, and a no makes no room', async () => {
  const { phone, sub } = await somebody()
  const first = await ask(desk, sub)
  await reject(node(), first.ticket, phone)
  const [second] = await Promise.all([ask(desk, sub), ask(await application('guest'), sub)])
  const form = { scope: 'openid', login_hint: sub, client_id: 'desk', client_secret: SECRET }
  const refused = await request<{ error: string }>(`${node()}/oidc/backchannel`, { form })
  expect(refused).toMatchObject({ status: 429, body: { error: 'access_denied', code: 'RATE_LIMITED' } })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(500)
  // A yes makes room.
  await scan(node(), second.ticket, phone)
  await confirm(node(), second.ticket, phone, { json: { number: second.number } })
  await until(
    () => redis.data.hexists(redis.keys.requests(sub), `t:${second.ticket}`),
    (there) => there === 0,
  )
  expect((await ask(desk, sub)).ticket).toBeTruthy()
})

test('"this was not me" declines, and that application cannot ask again for a day', async () => {
  const { phone, sub } = await somebody()
  const asked = await ask(desk, sub)
  expect(await report(phone, asked.ticket)).toMatchObject({ status: 200, body: { state: { status: 'rejected' } } })
  expect(await report(phone, asked.ticket)).toMatchObject({ status: 200 })
  expect(await errorOf(redeem(desk, asked))).toBe('access_denied')
  expect(await errorOf(ask(desk, sub))).toBe('access_denied')
  expect(await redis.data.pttl(redis.keys.requests(sub))).toBeGreaterThan(23 * 3_600_000)
  // Others may.
  expect((await ask(await application('till'), sub)).number).toBeUndefined()
})

test('the person’s devices are told when a request comes and when it is answered', async () => {
  const { phone, sub } = await somebody()
  const live = connectLive(cluster.origin, { token: phone })
  onCleanup(() => live.close())
  expect(await live.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
  const asked = await ask(await application('till'), sub)
  expect(await live.next('volatile')).toMatchObject({ event: 'request', data: { change: 'asked' } })
  await scan(node(), asked.ticket, phone)
  await confirm(node(), asked.ticket, phone)
  expect(await live.next('volatile')).toMatchObject({ event: 'request', data: { change: 'answered' } })
})

test('an application of somebody else gets what the person has seen', async () => {
  const { phone, sub } = await somebody()
  const guest = await application('guest')
  const asked = await ask(guest, sub, { scope: 'openid profile' })
  const { body } = await scan(node(), asked.ticket, phone)
  expect(body.request.application).toEqual({ party: 'third', scopes: ['openid', 'profile'] })
  const { number } = asked
  expect(await confirm(node(), asked.ticket, phone, { json: { number } })).toMatchObject({
    body: { code: 'CONSENT_REQUIRED' },
  })
  const scopes = ['openid', 'profile']
  expect(await confirm(node(), asked.ticket, phone, { json: { number, scopes } })).toMatchObject({ status: 200 })
  expect((await redeem(guest, asked)).scope).toBe('openid profile')
})

test('a server is told of the answer (ping), also if it was away', async () => {
  const bank = await application('bank')
  const { phone, sub } = await somebody()
  const asked = await ask(bank, sub, { client_notification_token: 'a-token-of-the-bank' })
  // Redis does not hold what redeems the login.
  const stored = JSON.stringify(await redis.data.hgetall(redis.keys.ticket(asked.ticket)))
  expect(stored).not.toContain(asked.auth_req_id.slice(22))
  receiver.status = 503
  await scan(node(), asked.ticket, phone)
  await confirm(node(), asked.ticket, phone)
  const told = { authorization: 'Bearer a-token-of-the-bank', body: { auth_req_id: asked.auth_req_id } }
  expect(await receiver.next()).toEqual(told)
  receiver.status = 204
  expect(await receiver.next()).toEqual(told)
  expect((await redeem(bank, asked)).claims()?.sub).toBe(sub)
})

test('a node that took the answer and died leaves the ping to another one', async () => {
  const bank = await application('bank')
  const { phone, sub } = await somebody()
  const asked = await ask(bank, sub, { client_notification_token: 'another-token' })
  await scan(node(), asked.ticket, phone)
  // As if it had died between the answer and the call: the ticket is confirmed, and nobody was told.
  await redis.data.hset(redis.keys.ticket(asked.ticket), {
    status: 'confirmed',
    version: 3,
    deadline: Date.now() + 60_000,
    decidedAt: Date.now(),
  })
  expect((await receiver.next()).body).toEqual({ auth_req_id: asked.auth_req_id })
  expect((await redeem(bank, asked)).claims()?.sub).toBe(sub)
})

test('discovery says what is there', async () => {
  const { body } = await request(`${cluster.origin}/oidc/.well-known/openid-configuration`)
  expect(body).toMatchObject({
    backchannel_authentication_endpoint: `${cluster.origin}/oidc/backchannel`,
    backchannel_token_delivery_modes_supported: ['poll', 'ping'],
    grant_types_supported: expect.arrayContaining([CIBA_GRANT]),
  })
})
