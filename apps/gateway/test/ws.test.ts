import type { Message, Position } from '@saoma/protocol'
import {
  type Cluster,
  connectLive,
  connectWs,
  narrowApiKey,
  publish,
  request,
  startCluster,
  testApiKey,
  type WsClient,
  webToken,
} from '@saoma/testing'
import fc from 'fast-check'
import { nodeNamed, roomsOf, seed, upTo } from './fixtures.ts'

const OK = '{"result":true}'
let cluster: Cluster
let alice: Awaited<ReturnType<typeof webToken>>
let bob: Awaited<ReturnType<typeof webToken>>

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3, env: { SAOMA_LIMIT_EVENTS: '5000', SAOMA_LIMIT_KEY_EVENTS: '100000' } })
  alice = await webToken(cluster.origin, 'alice')
  bob = await webToken(cluster.origin, 'bob')
})

const node = (id: string) => nodeNamed(cluster.nodes, id)

const newRoom = roomsOf('open-ws')
const newReadRoom = roomsOf('read-ws')

const enter = async (origin: string, token = alice.access_token): Promise<WsClient> => {
  const client = await connectWs(origin)
  expect(await client.ask({ op: 'auth', token })).toBe(OK)
  return client
}

type Frame = Partial<Message & Position> & { name?: string; result?: true; error?: string; messages?: Frame[] }
const read = (frame: string | Buffer): Frame => JSON.parse(frame.toString())

/** As in CONNMIX's manual: the answer as it is written. */
const mesh = async (body: string): Promise<string> => {
  const headers = { authorization: `Bearer ${testApiKey}`, 'content-type': 'application/json' }
  return (await fetch(`${node('b').origin}/v1/mesh/publish`, { method: 'POST', headers, body })).text()
}

test('CONNMIX’s table holds byte for byte, with the publisher on another node', async () => {
  const client = await connectWs(node('a').origin)
  expect(client.node).toBe('a')
  expect(await client.ask('{"op":"subscribe","channel":"@user"}')).toBe('{"code":1,"msg":"Not Auth"}')
  expect(await client.ask('{"op":"unsubscribe","channel":"@user"}')).toBe('{"code":1,"msg":"Not Auth"}')
  expect(await client.ask(`{"op":"auth","token":"${alice.access_token}"}`)).toBe('{"result":true}')
  expect(await client.ask('{"op":"subscribe","channel":"@user"}')).toBe('{"result":true}')
  expect(await client.ask('ping')).toBe('pong')

  const text = '{"event":"@user","data":{"uid":1001,"msg":"Hello,World!"}}'
  const body = JSON.stringify({ c: `user:${alice.user}`, d: text })
  expect(await mesh(body)).toBe('{"E":null,"r":{"s":1,"f":0}}')
  expect(await client.next()).toBe(text)

  expect(await client.ask('{"op":"unsubscribe","channel":"@user"}')).toBe('{"result":true}')
  while ((await mesh(body)) !== '{"E":null,"r":{"s":0,"f":0}}');
  expect(await client.ask('ping')).toBe('pong')
  expect(client.pending()).toEqual([])
})

test('an invalid token is refused, and the connection may try again', async () => {
  const client = await connectWs(cluster.origin)
  const refused = '{"code":1,"msg":"Not Auth","error":"UNAUTHORIZED","react":"reauth"}'
  for (const token of ['nonsense', '', 7, null, { a: 1 }]) expect(await client.ask({ op: 'auth', token })).toBe(refused)
  expect(await client.ask({ op: 'auth' })).toBe(refused)
  expect(await client.ask({ op: 'auth', token: alice.access_token })).toBe(OK)
})

test('a second auth refreshes the same person, and is refused for another', async () => {
  const client = await enter(cluster.origin)
  expect(await client.ask({ op: 'auth', token: alice.access_token })).toBe(OK)
  expect(read(await client.ask({ op: 'auth', token: bob.access_token }))).toMatchObject({ error: 'FORBIDDEN' })
  expect(read(await client.ask({ op: 'refresh', token: alice.access_token }))).toMatchObject({
    result: true,
    expiresIn: expect.any(Number),
  })
})

test.each([
  ['garbage', 'INVALID'],
  ['{"op":"dance"}', 'INVALID'],
  ['{"op":"subscribe"}', 'INVALID'],
  ['{"op":"subscribe","channel":7}', 'INVALID'],
  ['{"op":"subscribe","channel":"queue:x"}', 'INVALID'],
  ['{"op":"subscribe","channel":"room:x y"}', 'INVALID'],
  ['{"op":"subscribe","channel":"@user","since":7}', 'INVALID'],
  ['{"op":"subscribe","channel":"room:closed"}', 'FORBIDDEN'],
  ['{"op":"subscribe","channel":"user:somebody-else"}', 'FORBIDDEN'],
  ['{"op":"publish","channel":"@user","event":"e","data":1}', 'FORBIDDEN'],
  ['{"op":"publish","channel":"room:read-1","event":"e","data":1}', 'FORBIDDEN'],
  ['{"op":"read","channel":"@user","offset":-1}', 'INVALID'],
])('%s is refused with %s and the connection goes on', async (text, error) => {
  const client = await enter(cluster.origin)
  const answer = await client.ask(text)
  if (error === 'INVALID') expect(answer).toBe('{"code":1,"msg":"Error","error":"INVALID"}')
  else expect(answer).toBe(`{"code":1,"msg":"Error","error":"${error}","react":"stop"}`)
  expect(await client.ask({ op: 'subscribe', channel: '@user' })).toBe(OK)
})

test('people on Socket.IO and on plain WebSockets share a room, each in their form', async () => {
  const room = newRoom()
  const [plain, extended] = [await enter(node('a').origin), await enter(node('b').origin, bob.access_token)]
  const socket = connectLive(node('c').origin, { token: bob.access_token })
  await socket.subscribe({ channel: room })
  expect(await plain.ask({ op: 'subscribe', channel: room })).toBe(OK)
  const page = read(await extended.ask({ op: 'subscribe', channel: room, since: null, id: 'page' }))
  expect(page).toMatchObject({ result: true, id: 'page', channel: room, offset: 0, messages: [] })

  const sent = await plain.ask({ op: 'publish', channel: room, event: 'said', data: { text: 'hi' } })
  // Its own message may come before the answer that says so: both are on their way at once.
  const [receipt, own] = [sent, await plain.next()].sort(
    (a, b) => Number('event' in read(a)) - Number('event' in read(b)),
  )
  expect(read(receipt ?? '')).toEqual({ result: true, epoch: expect.any(String), offset: 1, connections: 3 })
  expect(own).toBe(`{"event":"${room}","data":{"text":"hi"}}`)
  const message = await socket.next('message')
  expect(message).toMatchObject({ event: 'said', data: { text: 'hi' }, from: alice.user, offset: 1 })
  const { channel, event, ...rest } = message
  expect(read(await extended.next())).toEqual({ event: channel, name: event, ...rest })

  await socket.publish({ channel: room, event: 'typing', data: 1, volatile: true })
  expect(await plain.next()).toBe(`{"event":"${room}","data":1}`)
  expect(read(await extended.next())).toMatchObject({ event: room, type: 'volatile', name: 'typing', data: 1 })
  expect(read(await extended.ask({ op: 'presence', channel: room }))).toEqual({
    result: true,
    channel: room,
    users: expect.arrayContaining([alice.user, bob.user]),
    count: 2,
    connections: 3,
  })
})

test('presence and read notices go only to those who ever asked for more', async () => {
  const room = newRoom()
  const [plain, extended] = [await enter(node('a').origin), await enter(node('a').origin)]
  await plain.ask({ op: 'subscribe', channel: room })
  await plain.ask({ op: 'subscribe', channel: '@user' })
  await extended.ask({ op: 'subscribe', channel: room, since: null })
  await extended.ask({ op: 'subscribe', channel: '@user', since: null })
  const { body } = await publish(cluster.origin, { channel: `user:${alice.user}`, event: 'order', data: 1 })
  expect(await plain.next()).toBe('{"event":"@user","data":1}')
  expect(read(await extended.next())).toMatchObject({ event: '@user', name: 'order', offset: body.offset })

  const other = await enter(node('b').origin, bob.access_token)
  await other.ask({ op: 'subscribe', channel: room })
  expect(read(await extended.next())).toEqual({
    event: room,
    type: 'presence',
    data: { event: 'join', user: bob.user, count: 2 },
  })
  expect(read(await plain.ask({ op: 'read', channel: '@user', offset: body.offset }))).toMatchObject({ unread: 0 })
  expect(read(await extended.next())).toEqual({
    event: '@user',
    type: 'inbox',
    data: { read: body.offset, unread: 0 },
  })
  expect(await plain.ask('ping')).toBe('pong')
  expect(plain.pending()).toEqual([])
})

describe('backends', () => {
  test('any text and any bytes arrive as published, and with positions in an envelope', async () => {
    const room = newReadRoom()
    const [plain, extended] = [await enter(node('a').origin), await enter(node('a').origin)]
    await plain.ask({ op: 'subscribe', channel: room })
    await extended.ask({ op: 'subscribe', channel: room, since: null })
    const backend = await enter(node('b').origin, testApiKey)
    const texts = ['', ' { "event" : 1 } ', 'é\u0000\n', '{"event":"@user","data":1}', '[]']
    for (const [i, d] of texts.entries()) {
      expect(await backend.ask({ m: 'mesh.publish', p: { c: room, d }, i })).toBe(
        `{"E":null,"r":{"s":2,"f":0},"i":${i}}`,
      )
      expect(await plain.next()).toBe(d)
      expect(read(await extended.next())).toMatchObject({ event: room, name: 'mesh.text', data: d, offset: i + 1 })
    }
    await backend.ask({ m: 'mesh.publish', p: { c: room, d: 'AP8Q', t: 'binary' }, i: 'x' })
    expect(await plain.next()).toEqual(Buffer.from([0, 255, 16]))
  })

  test('the errors of a mesh.publish are told in its own form', async () => {
    const backend = await enter(cluster.origin, narrowApiKey)
    const ask = (p: unknown) => backend.ask({ m: 'mesh.publish', p, i: 1 })
    const invalid = '{"E":{"c":101,"m":"The request is not well formed."},"i":1}'
    for (const p of [null, 7, {}, { c: 'room:read-1' }, { c: 'x', d: '' }, { c: 'room:read-1', d: 1 }])
      expect(await ask(p)).toBe(invalid)
    expect(await backend.ask({ m: 'queue.pop', p: {}, i: 1 })).toBe(invalid)
    expect(await ask({ c: 'room:open-1', d: 'x' })).toBe('{"E":{"c":403,"m":"You may not do this."},"i":1}')
    const stranger = await connectWs(cluster.origin)
    expect(await stranger.ask({ m: 'mesh.publish', p: { c: 'room:read-1', d: 'x' }, i: 1 })).toBe(
      '{"E":{"c":401,"m":"Not Auth"},"i":1}',
    )
  })

  test('a thousand publications asked ahead keep their order, and each gets its answer', async () => {
    const room = newReadRoom()
    const reader = await enter(node('a').origin)
    await reader.ask({ op: 'subscribe', channel: room, since: null })
    const backend = await enter(node('b').origin, testApiKey)
    const count = 1_000
    for (let id = 0; id < count; id++) backend.send({ op: 'publish', channel: room, event: 'n', data: id, id })
    for (let id = 0; id < count; id++)
      expect(read(await backend.next())).toMatchObject({ result: true, offset: id + 1, id })
    for (let id = 0; id < count; id++) expect(read(await reader.next())).toMatchObject({ data: id, offset: id + 1 })
  })
})

test('a person whose sessions are ended is told so and closed, on any node', async () => {
  const carol = await webToken(cluster.origin, 'carol')
  const client = await enter(node('a').origin, carol.access_token)
  await request(`${node('b').origin}/v1/users/${carol.user}/end`, { bearer: testApiKey, json: {} })
  expect(await client.next()).toBe('{"code":1,"msg":"Not Auth","error":"REVOKED"}')
  expect(await client.closed()).toEqual({ code: 4401, reason: 'ended' })
})

test('a foreign origin is not let in', async () => {
  await expect(connectWs(cluster.origin, { origin: 'https://evil.example' })).rejects.toThrow('403')
})

test(`any frames, with or without a token, leave the node as it was (seed ${seed})`, async () => {
  const { pid, origin, internalOrigin } = node('c')
  const room = newRoom()
  const values = fc.oneof(fc.constantFrom(room, '@user', null, alice.access_token), fc.jsonValue({ maxDepth: 3 }))
  const op = fc.constantFrom('auth', 'subscribe', 'unsubscribe', 'publish', 'presence', 'read', 'refresh', 'none')
  const keys = { channel: values, since: values, history: values, event: values, data: values, offset: values }
  const frame = fc.oneof(
    fc.string(),
    fc.record({ op, ...keys, token: values, id: values }, { requiredKeys: ['op'] }),
    fc.record({
      m: fc.constantFrom('mesh.publish', 'x'),
      p: fc.record({ c: values, d: values, t: values }),
      i: values,
    }),
    fc
      .nat(16_000)
      .map(
        (depth) => `{"op":"publish","channel":"${room}","event":"e","data":${'['.repeat(depth)}${']'.repeat(depth)}}`,
      ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 15 }), fc.boolean(), async (frames, enters) => {
      const client = enters ? await enter(origin) : await connectWs(origin)
      for (const sent of frames) client.send(sent)
      client.send({ op: 'last', id: 'last' })
      while ((await client.next()) !== '{"code":1,"msg":"Error","error":"INVALID","id":"last"}');
      client.close()
    }),
    { seed, numRuns: 60 },
  )
  expect(node('c').pid).toBe(pid)
  expect((await request(`${internalOrigin}/readyz`)).status).toBe(200)
  expect(node('c').lines.filter(({ json }) => json?.event === 'unhandledRejection')).toEqual([])
})

// The others feel nothing.
test('a reader that does not read is cut off, and its position brings everything back', async () => {
  const room = newReadRoom()
  const [slow, quick] = [await enter(node('a').origin), await enter(node('a').origin)]
  const { epoch, offset } = read(await slow.ask({ op: 'subscribe', channel: room, since: null }))
  await quick.ask({ op: 'subscribe', channel: room, since: null })
  slow.socket.pause()
  const data = 'x'.repeat(30_000)
  let count = 0
  for (let connections = 2; connections === 2; count++)
    connections = (await publish(node('b').origin, { channel: room, event: 'n', data })).body.connections
  for (let n = 1; n <= count; n++) expect(read(await quick.next()).offset).toBe(n)
  slow.socket.resume()
  await slow.closed()

  const back = await enter(node('c').origin)
  const offsets = slow.pending().map((frame) => read(frame).offset)
  let at: Position = { epoch: epoch ?? '', offset: offsets.at(-1) ?? offset ?? 0 }
  expect(at.offset).toBeLessThan(count)
  while (at.offset < count) {
    const page = read(await back.ask({ op: 'subscribe', channel: room, since: at }))
    expect(page).toMatchObject({ recovered: true })
    offsets.push(...(page.messages ?? []).map((message) => message.offset))
    at = { epoch: at.epoch, offset: page.offset ?? count }
  }
  expect(offsets).toEqual(Array.from({ length: count }, (_, i) => i + 1))
})

// Once and in order.
test('a client with its last position gets everything, though its node was killed', async () => {
  const room = newReadRoom()
  const count = 150
  const heard: Frame[] = []
  let client = await enter(cluster.origin)
  const { epoch, offset } = read(await client.ask({ op: 'subscribe', channel: room, since: null }))
  // What met the end of the node is asked again, which the key makes safe.
  const publishing = (async () => {
    for (let n = 0; n < count; n++) {
      const message = { channel: room, event: 'n', data: n, idempotencyKey: `${room} ${n}` }
      while ((await publish(cluster.origin, message)).status !== 200);
    }
  })()
  while (heard.length < 30) heard.push(read(await client.next()))
  const gone = client.closed()
  const killed = client.node
  await node(killed).kill('SIGKILL')
  await gone
  heard.push(...client.pending().map(read))

  client = await enter(cluster.origin)
  expect(client.node).not.toBe(killed)
  const since = { epoch, offset: heard.at(-1)?.offset ?? offset }
  const page = read(await client.ask({ op: 'subscribe', channel: room, since }))
  expect(page).toMatchObject({ result: true, recovered: true })
  heard.push(...(page.messages ?? []))
  while (heard.length < count) heard.push(read(await client.next()))
  await publishing
  await node(killed).restart()
  expect(heard.map(({ data }) => data)).toEqual(upTo(count))
  expect(heard.every(({ event, name }) => event === room && name === 'n')).toBe(true)
})

// It says so to those who asked for more.
test('a leaving node says when to come back, and closes with the code for a restart', async () => {
  const [plain, extended] = [await enter(node('a').origin), await enter(node('a').origin)]
  const stranger = await connectWs(node('a').origin)
  await extended.ask({ op: 'subscribe', channel: '@user', since: null })
  await node('a').stop()
  expect(read(await extended.next())).toEqual({ event: 'drain', data: { resumeAfterMs: expect.any(Number) } })
  for (const client of [plain, extended, stranger])
    expect(await client.closed()).toEqual({ code: 1012, reason: 'drain' })
  expect(plain.pending()).toEqual([])
})
