import {
  confirm,
  connectLive,
  createTicket,
  type Gateway,
  metricOf,
  phoneToken,
  publish,
  type RedisServer,
  redeem,
  refresh,
  request,
  scan,
  startGateway,
  startRedis,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { openOperator } from './fixtures.ts'

/**
 * Logins do not share the fate of chat: channels in a Redis of their own, and in the same one below a share
 * of its memory.
 */
const origin = 'http://127.0.0.1:8080'
const ROOM = 'room:open-fate'
const message = { channel: ROOM, event: 'said', data: 'x' }

interface Ready {
  ok: boolean
  reasons: string[]
  warnings: string[]
}
const ready = (node: Gateway) => request<Ready>(`${node.internalOrigin}/readyz`)
const warned = (node: Gateway, warning: string) =>
  until(
    () => ready(node),
    ({ body }) => body.warnings.includes(warning),
  )
const unwarned = (node: Gateway) =>
  until(
    () => ready(node),
    ({ body }) => body.warnings.every((warning) => !warning.startsWith('channels:')),
  )

/** All of a login and of what follows it: refresh, the list, and its end. */
const liveALogin = async (node: Gateway, name: string): Promise<void> => {
  const phone = await phoneToken(node.origin, name)
  const { device_code, ticket } = await createTicket(node.origin)
  expect((await scan(node.origin, ticket, phone)).status).toBe(200)
  expect((await confirm(node.origin, ticket, phone)).status).toBe(200)
  const tokens = await redeem(node.origin, device_code)
  expect(tokens.status).toBe(200)
  const renewed = await refresh(node.origin, tokens.body.refresh_token)
  expect(renewed.status).toBe(200)
  const bearer = renewed.body.access_token
  expect((await request(`${node.origin}/v1/sessions`, { bearer })).status).toBe(200)
  const ended = await request(`${node.origin}/v1/sessions`, { method: 'DELETE', bearer })
  expect([ended.status, ended.body]).toEqual([200, { ended: 1 }])
  expect((await refresh(node.origin, renewed.body.refresh_token)).status).toBe(400)
}

describe('a separate Redis for channels', () => {
  let logins: RedisServer
  let chat: RedisServer
  let nodes: Gateway[]
  let first: Gateway

  beforeAll(async () => {
    ;[logins, chat] = await Promise.all([startRedis(), startRedis({ args: ['--maxmemory', '100mb'] })])
    nodes = await Promise.all(
      ['a', 'b'].map((nodeId) =>
        startGateway({ redisUrl: logins.url, nodeId, origin, env: { REDIS_CHANNELS_URL: chat.url } }),
      ),
    )
    first = nodes[0] as Gateway
  })

  test('it carries messages between the nodes, and the metrics name its connections', async () => {
    const { access_token } = await webToken(first.origin, 'ann')
    const client = connectLive(first.origin, { token: access_token })
    expect(await client.subscribe({ channel: ROOM })).toMatchObject({ ok: true })
    expect((await publish(nodes[1]?.origin ?? '', message)).body).toMatchObject({ offset: 1, connections: 1 })
    expect(await client.next('message')).toMatchObject({ channel: ROOM, data: 'x', offset: 1 })
    client.close()
    const { body } = await request<string>(`${first.internalOrigin}/metrics`)
    for (const name of ['data', 'pub', 'sub', 'channels:data', 'channels:pub', 'channels:sub'])
      expect(body).toContain(`saoma_redis_up{client="${name}"} 1`)
    expect(await metricOf(first, 'saoma_redis_memory_ratio')).toBeGreaterThan(0)
  })

  test('it carries the end of a session to the other nodes', async () => {
    const { access_token } = await webToken(first.origin, 'eve')
    const client = connectLive(nodes[1]?.origin ?? '', { token: access_token })
    await client.next('connect')
    await request(`${first.origin}/v1/sessions`, { method: 'DELETE', bearer: access_token })
    expect(await client.next('ended')).toEqual({ code: 'REVOKED' })
    client.close()
  })

  test('every step of a login works while it does not answer', async () => {
    await chat.kill('SIGSTOP')
    await liveALogin(first, 'hans')
    await chat.kill('SIGCONT')
    await unwarned(first)
  })

  test('every step of a login works while it is away, and channels recover afterwards', async () => {
    const { access_token } = await webToken(first.origin, 'bob')
    const client = connectLive(first.origin, { token: access_token })
    await client.subscribe({ channel: ROOM })
    await chat.stop()
    await warned(first, 'channels:data')
    expect(await ready(first)).toMatchObject({ status: 200, body: { ok: true, reasons: [] } })
    expect(await client.publish(message)).toMatchObject({ ok: false, code: 'REDIS_UNAVAILABLE', react: 'retry' })
    const refused = await publish(first.origin, message)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    await liveALogin(first, 'carl')
    const { body } = await request<string>(`${first.internalOrigin}/metrics`)
    expect(body).toContain('saoma_redis_up{client="data"} 1')
    expect(body).toContain('saoma_redis_up{client="channels:data"} 0')

    const again = await startRedis({ port: chat.port, args: ['--maxmemory', '100mb'] })
    await unwarned(first)
    const published = await until(
      () => publish(first.origin, message),
      ({ status }) => status === 200,
    )
    expect(published.status).toBe(200)
    const heard = await client.next('message', 20_000)
    expect(heard.data).toBe('x')
    client.close()
    await again.stop()
  })

  test('a node starts while it is away, and has channels once it comes', async () => {
    const late = await startGateway({
      redisUrl: logins.url,
      nodeId: 'late',
      origin,
      env: { REDIS_CHANNELS_URL: chat.url },
    })
    expect((await ready(late)).status).toBe(200)
    expect((await request(`${late.internalOrigin}/startupz`)).status).toBe(200)
    await liveALogin(late, 'dora')
    const again = await startRedis({ port: chat.port })
    await unwarned(late)
    const published = await until(
      () => publish(late.origin, message),
      ({ status }) => status === 200,
    )
    expect(published.status).toBe(200)
    await late.stop()
    await again.stop()
  })
})

test('a Redis that could lose messages gets no writes until its policy is corrected', async () => {
  const [logins, chat] = await Promise.all([startRedis(), startRedis()])
  await chat.stop()
  const env = { REDIS_CHANNELS_URL: chat.url }
  const node = await startGateway({ redisUrl: logins.url, nodeId: 'a', origin, env })
  await startRedis({ port: chat.port, args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
  expect(await warned(node, 'channels:unfit')).toMatchObject({ status: 200, body: { ok: true } })
  expect((await publish(node.origin, message)).status).toBe(503)
  expect(await metricOf(node, 'saoma_channels_room')).toBe(0)
  await liveALogin(node, 'ida')
  const operator = await openOperator(chat.url)
  await operator.config('SET', 'maxmemory-policy', 'noeviction')
  await unwarned(node)
  expect((await publish(node.origin, message)).status).toBe(200)
})

describe('one Redis for everything', () => {
  let redis: RedisServer
  let node: Gateway

  beforeAll(async () => {
    redis = await startRedis({ args: ['--maxmemory', '20mb', '--maxmemory-policy', 'noeviction'] })
    const env = { SAOMA_CHANNELS_MEMORY_SHARE: '0.6', SAOMA_LIMIT_PERSON_BYTES: '100000000' }
    node = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin, env })
  })

  // Logins go on meanwhile.
  test('channels stop at their share of the memory and resume when there is room', async () => {
    const { access_token } = await webToken(node.origin, 'ann')
    const client = connectLive(node.origin, { token: access_token })
    await client.subscribe({ channel: ROOM })
    const data = 'x'.repeat(30_000)
    let status = 200
    // A hundred of these are 3 MB, less than a third of what is between the share and the end.
    for (let batch = 0; status === 200 && batch < 200; batch++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => publish(node.origin, { ...message, channel: `room:open-${i}`, data })),
      )
      status = Math.max(...answers.map((answer) => answer.status))
    }
    expect(status).toBe(503)
    expect(await warned(node, 'channels:full')).toMatchObject({ status: 200, body: { ok: true } })
    expect(await metricOf(node, 'saoma_channels_room')).toBe(0)
    const ratio = await metricOf(node, 'saoma_redis_memory_ratio')
    expect(ratio).toBeGreaterThanOrEqual(0.6)
    expect(ratio).toBeLessThan(1)
    const refused = await publish(node.origin, message)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await client.subscribe({ channel: 'room:open-other' })).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
    expect(await client.publish({ ...message, volatile: true })).toMatchObject({ ok: true })
    expect(await client.next('volatile')).toMatchObject({ data: 'x' })
    const at = `${node.origin}/v1/channels/room:open-1/messages`
    expect((await request(at, { bearer: access_token })).status).toBe(200)
    await liveALogin(node, 'bob')

    for (let i = 0; i < 20; i++) {
      const trim = `${node.origin}/v1/channels/room:open-${i}/messages?before=1000000`
      expect((await request(trim, { method: 'DELETE', bearer: testApiKey })).status).toBe(200)
    }
    await unwarned(node)
    expect((await publish(node.origin, message)).status).toBe(200)
    expect(await client.subscribe({ channel: 'room:open-other' })).toMatchObject({ ok: true })
    client.close()
  })
})
