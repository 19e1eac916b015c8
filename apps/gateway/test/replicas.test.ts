import type { WaitingRequests } from '@saoma/protocol'
import {
  confirm,
  createTicket,
  phoneToken,
  redeem,
  refresh,
  request,
  scan,
  startGateway,
  startRedisSentinel,
  until,
  webToken,
} from '@saoma/testing'
import { decodeJwt } from 'jose'
import { deskClient, SECRET } from './relying-party.ts'

test('codes and refresh tokens refused for want of replicas stay good', async () => {
  const { url, replicas } = await startRedisSentinel()
  const env = { SAOMA_REDIS_REPLICAS: '1' }
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://replicas.test', env })
  const kept = await webToken(origin, 'ada')
  const phone = await phoneToken(origin, 'ada')
  const { device_code: code, ticket } = await createTicket(origin)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)

  await Promise.all(replicas.map((replica) => replica.kill('SIGSTOP')))
  for (let i = 0; i < 2; i++) {
    expect(await redeem(origin, code)).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
    expect(await refresh(origin, kept.refresh_token)).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
    })
  }

  await Promise.all(replicas.map((replica) => replica.kill('SIGCONT')))
  const again = await refresh(origin, kept.refresh_token)
  expect(again.status).toBe(200)
  expect((await refresh(origin, again.body.refresh_token)).status).toBe(200)
  const redeemed = await redeem(origin, code)
  expect(redeemed.status).toBe(200)
  expect((await refresh(origin, redeemed.body.refresh_token)).status).toBe(200)
})

test('a half-refused login that its person ended does not begin when asked again', async () => {
  const { url, replicas } = await startRedisSentinel()
  const env = { SAOMA_REDIS_REPLICAS: '1' }
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://replicas.test', env })
  const phone = await phoneToken(origin, 'ada')
  const { device_code: code, ticket } = await createTicket(origin)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)

  await Promise.all(replicas.map((replica) => replica.kill('SIGSTOP')))
  expect(await redeem(origin, code)).toMatchObject({ status: 503 })
  await Promise.all(replicas.map((replica) => replica.kill('SIGCONT')))

  const end = () => request<{ ended: number }>(`${origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  const ended = await until(end, ({ status }) => status !== 503)
  expect(ended).toMatchObject({ status: 200, body: { ended: 1 } })
  expect(await redeem(origin, code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  const { body } = await request<{ sessions: unknown[] }>(`${origin}/v1/sessions`, { bearer: phone })
  expect(body.sessions).toEqual([])
})

test('a request to a phone that is refused for want of replicas takes no place there', async () => {
  const { url, replicas } = await startRedisSentinel()
  const env = { SAOMA_REDIS_REPLICAS: '1', SAOMA_CLIENTS: JSON.stringify([deskClient]) }
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://replicas.test', env })
  const phone = await phoneToken(origin, 'ada')
  const form = { client_id: 'desk', client_secret: SECRET, scope: 'openid', login_hint: String(decodeJwt(phone).sub) }
  const ask = () => request<{ ticket: string }>(`${origin}/oidc/backchannel`, { form })
  const listed = async () => {
    const { body } = await request<WaitingRequests>(`${origin}/v1/me/requests`, { bearer: phone })
    return body.requests.map(({ ticket }) => ticket)
  }

  await Promise.all(replicas.map((replica) => replica.kill('SIGSTOP')))
  for (let i = 0; i < 4; i++)
    expect(await ask()).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
  // Nobody could redeem the answer.
  expect(await listed()).toEqual([])
  await Promise.all(replicas.map((replica) => replica.kill('SIGCONT')))
  const asked = await until(ask, ({ status }) => status !== 503)
  expect(asked.status).toBe(200)
  expect(await listed()).toEqual([asked.body.ticket])
})
