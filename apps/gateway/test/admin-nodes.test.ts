import { setTimeout as delay } from 'node:timers/promises'
import type { Message, Position } from '@saoma/protocol'
import {
  type Cluster,
  connectLive,
  type Gateway,
  publish,
  request,
  startCluster,
  startGateway,
  startRedis,
  startRedisCluster,
  testAdminKey,
  testApiKey,
  until,
} from '@saoma/testing'
import type { ListedNode } from '../src/admin/nodes.ts'
import { nodeAt, upTo } from './fixtures.ts'

interface Nodes {
  nodes: ListedNode[]
  cursor?: string
  code?: string
  detail?: string
}
const list = ({ internalOrigin }: Gateway, query = '', bearer = testAdminKey) =>
  request<Nodes>(`${internalOrigin}/v1/admin/nodes${query}`, { bearer })
const drain = ({ internalOrigin }: Gateway, id: string, more: object = {}) =>
  request<{ id?: string; draining?: boolean; code?: string; detail?: string }>(
    `${internalOrigin}/v1/admin/nodes/${id}/drain`,
    { method: 'POST', bearer: testAdminKey, ...more },
  )
const idsOf = ({ body }: { body: Nodes }) => body.nodes.map(({ id }) => id)
/** A node has its lease a moment after it listens. */
const listed = (by: Gateway, ids: string[]) =>
  until(
    () => list(by),
    (answer) =>
      answer.status === 200 && String(idsOf(answer)) === String(ids) && answer.body.nodes.every((n) => n.answers),
  )

const LEAVES_SLOWLY = {
  ...{ SAOMA_DRAIN_DELAY_MS: '60000', SAOMA_DRAIN_DEADLINE_MS: '75000', SAOMA_DRAIN_WINDOW_MS: '0' },
}

/** The drains in the audit: an entry is written a moment after what it tells of. */
const noted = ({ internalOrigin }: Gateway, count: number) =>
  until(
    async () => {
      const { body } = await request<{ entries: { reason: string; name?: string; key?: string }[] }>(
        `${internalOrigin}/v1/admin/audit?kind=admin.acted`,
        { bearer: testAdminKey },
      )
      return { body: { entries: body.entries.filter(({ reason }) => reason === 'node.drain') } }
    },
    ({ body }) => body.entries.length >= count,
  )

const start = (redisUrl: string, nodeId: string, env: Record<string, string> = {}) =>
  startGateway({ redisUrl, nodeId, origin: 'http://nodes.test', env })

const topologies = {
  standalone: async () => {
    const [logins, channels] = await Promise.all([startRedis(), startRedis()])
    return { url: logins.url, env: { REDIS_CHANNELS_URL: channels.url } }
  },
  cluster: async () => ({ url: (await startRedisCluster()).url, env: {} }),
}

test.each(Object.keys(topologies) as (keyof typeof topologies)[])(
  'the nodes say how they are: %s Redis',
  async (name) => {
    const { url, env } = await topologies[name]()
    const [a, b] = await Promise.all([start(url, 'a', env), start(url, 'b', env)])
    const socket = connectLive(b.origin, { token: testApiKey })
    await socket.next('connect')
    expect(await socket.subscribe({ channel: 'room:open-1' })).toMatchObject({ ok: true })
    const { body } = await listed(a, ['a', 'b'])
    const load = {
      lagMs: expect.any(Number),
      busy: expect.any(Number),
      cpu: expect.any(Number),
      memory: expect.any(Number),
      ...{ sockets: 0, people: 0, tickets: 0, channels: 0, followers: 0 },
    }
    const well = { answers: true, ready: true, draining: false, reasons: [], host: expect.any(String) }
    expect(body).toEqual({
      nodes: [
        { id: 'a', pid: a.pid, ...well, version: expect.any(String), since: expect.any(String), load, warnings: [] },
        {
          ...{ id: 'b', pid: b.pid, ...well, version: expect.any(String), since: expect.any(String), warnings: [] },
          load: { ...load, sockets: 1, channels: 1, followers: 1 },
        },
      ],
    })
    const [first] = body.nodes
    expect(Date.parse(first?.since ?? '')).toBeLessThan(Date.now())
    expect(first?.load?.memory).toBeGreaterThan(10_000_000)
    // The same from the other one, and page by page.
    expect(idsOf(await list(b))).toEqual(['a', 'b'])
    const page = await list(b, '?limit=1')
    expect(idsOf(page)).toEqual(['a'])
    const last = await list(a, `?limit=1&cursor=${page.body.cursor}`)
    expect([idsOf(last), last.body.cursor]).toEqual([['b'], undefined])

    const whats = async (query: string, bearer?: string) => {
      const { status, body: refused } = await list(a, query, bearer)
      return [status, refused.code, refused.detail]
    }
    expect(await whats('?cursor=x')).toEqual([422, 'INVALID', 'cursor is that of the page before'])
    expect(await whats('?size=3')).toEqual([422, 'INVALID', 'there is no parameter size'])
    expect(await whats('?limit=0')).toEqual([422, 'INVALID', 'limit is a whole number above 0'])
    expect(await whats('?limit=1&limit=2')).toEqual([422, 'INVALID', 'limit may be there once only'])
    expect(await whats('', testApiKey)).toEqual([
      403,
      'SCOPE_MISSING',
      'this needs an API key with the scope nodes:read',
    ])
    expect((await whats('', 'saoma_nobody_0123456789'))[1]).toBe('UNAUTHORIZED')
  },
)

test('a node that does not answer is listed as such, and is told to nobody as drained', async () => {
  const { url } = await startRedis()
  const [a, b] = await Promise.all([start(url, 'a'), start(url, 'b')])
  await listed(a, ['a', 'b'])
  await b.kill('SIGSTOP')
  const [found, drained] = await Promise.all([list(a), drain(a, 'b')])
  expect(found.body.nodes[1]).toMatchObject({ id: 'b', answers: false })
  expect(found.body.nodes[1]).not.toHaveProperty('load')
  // When its lease is over it is no node any more. The name is kept for five seconds.
  expect([
    [500, 'INTERNAL', 'node b does not answer: ask again'],
    [404, 'NOT_FOUND', 'no such node is running'],
  ]).toContainEqual([drained.status, drained.body.code, drained.body.detail])
  // It may have heard of it, so it is in the audit.
  const { body } = await noted(a, 1)
  expect(body.entries).toMatchObject([{ reason: 'node.drain', name: 'b', key: 'admin' }])
  await listed(a, ['a'])
  await b.kill('SIGKILL')
})

test('the last node that is ready is drained only by force, however quickly one after the other is asked', async () => {
  const { url } = await startRedis()
  const [a, b] = await Promise.all([start(url, 'a'), start(url, 'b', LEAVES_SLOWLY)])
  await listed(a, ['a', 'b'])
  expect((await drain(a, 'b')).body).toEqual({ id: 'b', draining: true })
  const detail = 'no other node is ready: nobody would be served. Say force: true if you want that'
  const gentle = [{}, { json: {} }, { json: { force: false } }]
  for (const how of gentle) expect((await drain(a, 'a', how)).body).toMatchObject({ code: 'FORBIDDEN', detail })
  expect((await drain(a, 'a', { json: { force: 1 } })).body).toMatchObject({
    ...{ code: 'INVALID', detail: 'force is true or false' },
  })
  expect((await drain(a, 'b')).body).toEqual({ id: 'b', draining: true })
  expect((await request(`${a.internalOrigin}/readyz`)).status).toBe(200)
  expect((await noted(a, 2)).body.entries.map(({ name }) => name)).toEqual(['b', 'b'])
  await b.kill('SIGKILL')
  expect((await drain(a, 'a', { json: { force: true } })).body).toEqual({ id: 'a', draining: true })
  expect(await a.exited).toEqual({ code: 0, signal: null })
})

test('while the Redis of the channels is away, those that answer are listed', async () => {
  const [{ url }, channels] = await Promise.all([startRedis(), startRedis()])
  const env = { REDIS_CHANNELS_URL: channels.url }
  const [a, b] = await Promise.all([start(url, 'a', env), start(url, 'b', env)])
  await listed(a, ['a', 'b'])
  await channels.kill('SIGSTOP')
  for (const by of [a, b]) {
    const { status, body } = await list(by)
    expect([status, body.code, body.nodes?.map(({ id, answers }) => [id, answers])]).toEqual([
      ...[200, undefined],
      [
        ['a', true],
        ['b', true],
      ],
    ])
  }
  await channels.kill('SIGCONT')
})

describe('draining one node', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2, env: { SAOMA_DRAIN_WINDOW_MS: '1000' } })
  })

  test('whichever is asked, its sockets go to the other, nothing is lost, and it ends with code 0', async () => {
    const [a, b] = [nodeAt(cluster.nodes, 0), nodeAt(cluster.nodes, 1)]
    await listed(a, ['a', 'b'])
    const channel = 'room:open-drained'
    const heard: Message[] = []
    const clients = upTo(8).map(() => connectLive(cluster.origin, { token: testApiKey }))
    for (const client of clients) {
      let at: Position | undefined
      const mine: Message[] = []
      const take = (messages: readonly Message[]) => {
        for (const message of messages) {
          mine.push(message)
          heard.push(message)
          at = message
        }
      }
      client.socket.on('message', (message) => take([message]))
      const subscribe = () =>
        client.socket.emit('subscribe', { channel, ...(at ? { since: at } : {}) }, (answer) => {
          if (!answer.ok) return
          take(answer.messages)
          at = { epoch: answer.epoch, offset: answer.offset }
        })
      await client.next('connect')
      subscribe()
      client.socket.on('connect', subscribe)
    }
    const socketsOf = async (id: string) => (await list(a)).body.nodes.find((node) => node.id === id)?.load?.sockets
    await until(
      async () => ((await socketsOf('a')) ?? 0) + ((await socketsOf('b')) ?? 0),
      (sockets) => sockets === 8,
    )
    expect(await socketsOf('b')).toBeGreaterThan(0)

    let sent = 0
    let isOver = false
    const publishing = (async () => {
      while (!isOver) {
        const message = { channel, event: 'n', data: sent, idempotencyKey: `n${sent}` }
        if ((await publish(cluster.origin, message)).status === 200) sent++
        // The pace of the load. Nothing waits for it.
        await delay(10)
      }
    })()
    await until(
      async () => heard.length,
      (count) => count > 0,
    )
    const answer = await drain(a, 'b')
    expect([answer.status, answer.body]).toEqual([200, { id: 'b', draining: true }])
    expect(answer.headers.get('x-saoma-node')).toBe('a')
    expect(await b.exited).toEqual({ code: 0, signal: null })
    await until(
      () => socketsOf('a'),
      (sockets) => sockets === 8,
    )
    const upToHere = sent
    await until(
      async () => sent,
      (count) => count > upToHere + 5,
    )
    isOver = true
    await publishing
    await until(
      async () => heard.length,
      (count) => count >= 8 * sent,
    )
    expect(heard.length).toBe(8 * sent)
    for (const data of upTo(sent)) expect(heard.filter((message) => message.data === data)).toHaveLength(8)
    expect(idsOf(await list(a))).toEqual(['a'])
    expect(await drain(a, 'b')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
    const { body } = await until(
      () =>
        request<{ entries: object[] }>(`${a.internalOrigin}/v1/admin/audit?kind=admin.acted`, { bearer: testAdminKey }),
      ({ body: { entries } }) => entries.some((entry) => 'reason' in entry && entry.reason === 'node.drain'),
    )
    expect(body.entries).toContainEqual(
      expect.objectContaining({
        reason: 'node.drain',
        by: 'backend',
        key: 'admin',
        name: 'b',
        node: 'a',
        ip: '127.0.0.1',
      }),
    )
  })

  test('a node that drains answers so again, and to the first signal', async () => {
    const a = nodeAt(cluster.nodes, 0)
    const c = await startGateway({
      redisUrl: cluster.redis.url,
      nodeId: 'c',
      origin: cluster.origin,
      env: LEAVES_SLOWLY,
    })
    await listed(a, ['a', 'c'])
    // It may be asked to drain itself.
    for (const by of [c, a, c]) expect((await drain(by, 'c')).body).toEqual({ id: 'c', draining: true })
    expect((await list(c)).body.nodes[1]).toMatchObject({ id: 'c', answers: true, ready: false, draining: true })
    expect((await list(a)).body.nodes[1]?.reasons).toContain('draining')
    const stopped = c.kill('SIGTERM')
    expect((await request(`${c.internalOrigin}/healthz`)).status).toBe(200)
    await c.kill('SIGTERM')
    await stopped
    expect(await c.exited).toEqual({ code: 1, signal: null })
  })

  test('what is no node, what it is not asked with, and what a key may not do is refused', async () => {
    const a = nodeAt(cluster.nodes, 0)
    const refusals: [string, object, string, string][] = [
      ['z', {}, 'NOT_FOUND', 'no such node is running'],
      ['Not-a-node', {}, 'NOT_FOUND', 'no such node is running'],
      ['a', { json: { now: true } }, 'INVALID', 'there is no member now'],
      ['a', { json: [] }, 'INVALID', 'the body is an object'],
      ['a', { bearer: testApiKey }, 'SCOPE_MISSING', 'this needs an API key with the scope nodes:write'],
      ['a', { method: 'PUT' }, 'METHOD_NOT_ALLOWED', ''],
    ]
    for (const [id, how, code, detail] of refusals) {
      const { body } = await drain(a, id, how)
      expect([id, how, body.code, body.detail ?? '']).toEqual([id, how, code, detail])
    }
    const query = await request<Nodes>(`${a.internalOrigin}/v1/admin/nodes/a/drain?force=1`, {
      method: 'POST',
      bearer: testAdminKey,
    })
    expect(query.body).toMatchObject({ code: 'INVALID', detail: 'there is no parameter force' })
    expect((await request(`${a.internalOrigin}/readyz`)).status).toBe(200)
  })
})

test('without Redis nobody can be asked', async () => {
  const redis = await startRedis()
  const a = await start(redis.url, 'a')
  await listed(a, ['a'])
  await redis.kill('SIGSTOP')
  for (const { status, body } of [await list(a), await drain(a, 'a')])
    expect([status, body.code]).toEqual([503, 'REDIS_UNAVAILABLE'])
  await redis.kill('SIGCONT')
})
