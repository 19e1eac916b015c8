import type { Position } from '@saoma/protocol'
import { connectWs, cursor, type Gateway, openEvents, publish, request, startGateway, until } from '@saoma/testing'
import { untilHeld, upTo } from './fixtures.ts'
import {
  enter,
  keysOf,
  newRoom,
  operatorsOf,
  ROOMS,
  say,
  startNodes,
  statusOf,
  type Topology,
  topologies,
  untilStatus,
} from './key-fixtures.ts'

/* API keys that are kept in Redis: every node knows them, and forgets them at once. */

/** How long after its answer a revocation may take to reach every node. */
const AT_ONCE_MS = 1_000

describe.each(Object.keys(topologies) as Topology[])('over a %s Redis', (topology) => {
  let a: Gateway
  let b: Gateway
  let url: string
  let urls: readonly string[]

  beforeAll(async () => {
    const redis = await topologies[topology]()
    url = redis.url
    urls = redis.urls
    ;[a, b] = await startNodes(url)
  })

  /** A key that both nodes know. */
  const make = async (name: string, more: object = {}): Promise<string> => {
    const key = await keysOf(a).make({ name, ...ROOMS, ...more })
    await untilStatus(b, key, 200)
    return key
  }

  test('a key is good on the node that made it with its answer, and on the others soon after', async () => {
    const key = await keysOf(a).make({ name: 'first', ...ROOMS })
    expect(key).toMatch(/^saoma_first_[A-Za-z0-9_-]{43}$/)
    expect(await statusOf(a, key)).toBe(200)
    await untilStatus(b, key, 200)
    expect(await statusOf(b, `saoma_first_${'x'.repeat(43)}`)).toBe(401)
    for (const operator of await operatorsOf(urls))
      for (const name of await operator.keys('*api-key*'))
        expect(JSON.stringify(await operator.hgetall(name))).not.toContain(key.slice(-20))
  })

  test('of 50 concurrent callers none is served a second after the key is revoked', async () => {
    const key = await make('raced')
    const served: number[] = []
    let isOver = false
    const call = async (i: number): Promise<void> => {
      for (let refused = 0; refused < 3; ) {
        const began = performance.now()
        const { status, body } = await say(i % 2 ? a : b, key)
        if (status === 200) served.push(began)
        else {
          expect({ status, code: body.code }).toEqual({ status: 401, code: 'UNAUTHORIZED' })
          expect(isOver).toBe(true)
          refused++
        }
      }
    }
    const calls = upTo(50).map(call)
    await until(
      async () => served.length,
      (count) => count > 200,
    )
    isOver = true
    expect((await keysOf(a).revoke('raced')).body).toEqual({ name: 'raced', revoked: true })
    const answered = performance.now()
    await Promise.all(calls)
    expect(served.filter((began) => began > answered + AT_ONCE_MS)).toEqual([])
  })

  test('sockets, event streams and long polls of a revoked key end at once, on every door', async () => {
    const key = await make('doors')
    const channel = newRoom()
    const at = (await publish<Position>(a.origin, { channel, event: 'e', data: 1 }, key)).body
    const sockets = [await enter(a, key), await enter(b, key)]
    const ws = await connectWs(b.origin)
    ws.send(JSON.stringify({ op: 'auth', token: key }))
    await ws.next()
    const streams = await Promise.all(
      [a, b].map(({ origin }) => openEvents(`${origin}/v1/messages?channel=${channel}`, { bearer: key })),
    )
    const polls = [a, b].map(({ origin }) =>
      request<{ code: string }>(`${origin}/v1/messages?channel=${encodeURIComponent(cursor(channel, at))}&wait=30`, {
        bearer: key,
      }),
    )
    for (const node of [a, b]) await untilHeld(node, 2)

    expect((await keysOf(b).revoke('doors')).status).toBe(200)
    const answered = performance.now()
    for (const socket of sockets) expect(await socket.next('ended')).toMatchObject({ code: 'REVOKED' })
    for (const stream of streams) expect((await stream.next('ended')).data).toMatchObject({ code: 'REVOKED' })
    for (const poll of polls) expect(await poll).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
    await ws.closed()
    expect(performance.now() - answered).toBeLessThan(AT_ONCE_MS)
  })

  test('a node whose subscription was cut learns of a revocation that it missed', async () => {
    const keys = await Promise.all(upTo(5).map((i) => make(`cut-${i}`)))
    const sockets = await Promise.all(keys.map((key) => enter(b, key)))
    const operators = await operatorsOf(urls)
    for (const [i, socket] of sockets.entries()) {
      await Promise.all(operators.map((operator) => operator.call('CLIENT', 'KILL', 'TYPE', 'pubsub')))
      await keysOf(a).revoke(`cut-${i}`)
      expect(await socket.next('ended')).toMatchObject({ code: 'REVOKED' })
      expect(await statusOf(b, keys[i] ?? '')).toBe(401)
    }
  })

  test('a key that is made again under the same name leaves the former one dead', async () => {
    const former = await make('again')
    const socket = await enter(b, former)
    await keysOf(a).revoke('again')
    const later = await keysOf(a).make({ name: 'again', ...ROOMS })
    expect(await socket.next('ended')).toMatchObject({ code: 'REVOKED' })
    await untilStatus(b, later, 200)
    for (const node of [a, b]) expect(await statusOf(node, former)).toBe(401)
  })

  test('while a rotation overlaps both secrets are good, and then the former one ends with its connections', async () => {
    const former = await make('turned')
    const before = await enter(b, former)
    const { status, body } = await keysOf(a).rotate('turned', { overlapSeconds: 3 })
    expect([status, body.name, typeof body.formerUntil]).toEqual([200, 'turned', 'string'])
    await untilStatus(b, body.key, 200)
    const after = await enter(b, body.key)
    // It may go over to the new secret.
    const moved = await enter(b, former)
    expect(await moved.refresh({ token: body.key })).toMatchObject({ ok: true })
    for (const node of [a, b]) expect(await statusOf(node, former)).toBe(200)

    expect(await before.next('ended')).toMatchObject({ code: 'REVOKED' })
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(body.formerUntil ?? '') - 50)
    for (const node of [a, b]) await untilStatus(node, former, 401)
    for (const node of [a, b]) expect(await statusOf(node, body.key)).toBe(200)
    for (const kept of [after, moved]) {
      expect(await kept.subscribe({ channel: newRoom() })).toMatchObject({ ok: true })
      expect(kept.pending('ended')).toEqual([])
    }
  })

  test('without an overlap the former secret is dead with the answer', async () => {
    const former = await make('switched')
    const socket = await enter(b, former)
    const { body } = await keysOf(a).rotate('switched', { overlapSeconds: 0 })
    expect(await statusOf(a, former)).toBe(401)
    expect(await socket.next('ended')).toMatchObject({ code: 'REVOKED' })
    await untilStatus(b, body.key, 200)
  })

  test('a key ends at its expiry, on every door, and the list still shows it', async () => {
    const expiresAt = new Date(Date.now() + 4_000).toISOString()
    const key = await make('brief', { expiresAt })
    const channel = newRoom()
    const socket = await enter(b, key)
    const stream = await openEvents(`${a.origin}/v1/messages?channel=${channel}`, { bearer: key })
    expect((await socket.next('expiring')).expiresIn).toBeGreaterThan(0)
    expect((await stream.next('ended')).data).toEqual({ code: 'TOKEN_EXPIRED' })
    expect(await socket.next('ended')).toMatchObject({ code: 'TOKEN_EXPIRED' })
    for (const node of [a, b])
      expect(await say(node, key)).toMatchObject({
        status: 401,
        body: { code: 'TOKEN_EXPIRED', detail: `the API key expired at ${expiresAt}` },
      })
    const { keys } = (await keysOf(b).list()).body
    expect(keys).toContainEqual(expect.objectContaining({ name: 'brief', expiresAt }))
  })

  test('in a full Redis keys can be revoked, and none can be made', async () => {
    const key = await make('full')
    const socket = await enter(b, key)
    const operators = await operatorsOf(urls)
    const limit = (bytes: string) =>
      Promise.all(operators.map((operator) => operator.call('CONFIG', 'SET', 'maxmemory', bytes)))
    await limit('1')
    try {
      expect(await keysOf(a).create({ name: 'late', ...ROOMS })).toMatchObject({ status: 503 })
      expect(await keysOf(a).revoke('full')).toMatchObject({ status: 200, body: { revoked: true } })
      expect(await socket.next('ended')).toMatchObject({ code: 'REVOKED' })
      expect(await keysOf(a).revoke('full')).toMatchObject({ status: 200, body: { revoked: false } })
    } finally {
      await limit('0')
    }
    for (const node of [a, b]) expect(await statusOf(node, key)).toBe(401)
  })

  test('keys that Redis loses are put back, and revoked ones are not', async () => {
    const [kept, gone] = [await make('kept'), await make('gone')]
    await keysOf(a).revoke('gone')
    await untilStatus(b, gone, 401)
    const socket = await enter(b, kept)
    for (const operator of await operatorsOf(urls)) await operator.flushall()
    // Nobody is refused in between.
    for (const node of [a, b]) expect(await statusOf(node, kept)).not.toBe(401)
    await until(
      async () => (await keysOf(a).list()).body.keys?.map(({ name }) => name) ?? [],
      (names) => names.includes('kept'),
    )
    // A new node has only what Redis has.
    const fresh = await startGateway({
      redisUrl: url,
      nodeId: 'c',
      origin: 'http://127.0.0.1',
    })
    for (const node of [a, b, fresh]) {
      expect(await statusOf(node, kept)).toBe(200)
      expect(await statusOf(node, gone)).toBe(401)
    }
    expect(socket.pending('ended')).toEqual([])
  })
})
