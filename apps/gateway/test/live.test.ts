import { connect as dial } from 'node:net'
import type { Message, Subscribed } from '@saoma/protocol'
import {
  type Cluster,
  connectLive,
  type LiveClient,
  liveDoors,
  publish,
  request,
  startCluster,
  testApiKey,
  webToken,
} from '@saoma/testing'
import { nodeNamed, roomsOf, upTo } from './fixtures.ts'

let cluster: Cluster
let alice: Awaited<ReturnType<typeof webToken>>
let bob: Awaited<ReturnType<typeof webToken>>

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_LIMIT_KEY_EVENTS: '100000', SAOMA_LIMIT_CHANNELS: '50' },
  })
})

const origin = (id: 'a' | 'b'): string => nodeNamed(cluster.nodes, id).origin

const page = (answer: Awaited<ReturnType<LiveClient['subscribe']>>): Subscribed => {
  if (!answer.ok) throw new Error(`refused: ${answer.code}`)
  return answer
}

const numbers = (messages: readonly Message[]) => messages.map(({ data }) => data)

/** Collects messages of one client until there are `count`. */
const take = async (client: LiveClient, count: number): Promise<Message[]> => {
  const taken: Message[] = []
  while (taken.length < count) taken.push(await client.next('message'))
  return taken
}

const newRoom = roomsOf('open-live')

const heard = (socket: ReturnType<typeof dial>, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    let all = ''
    const onData = (chunk: Buffer) => {
      all += chunk.toString('latin1')
      if (!all.includes(text)) return
      socket.off('data', onData)
      resolve()
    }
    socket.on('data', onData)
    socket.once('close', () => reject(new Error(`closed before it said ${text}`)))
  })

const slowReaders = async (): Promise<number> => {
  const { body } = await request<string>(`${cluster.nodes[0]?.internalOrigin}/metrics`)
  return Number(/^saoma_slow_consumer_closed_total (\d+)$/m.exec(body)?.[1])
}

describe.each(liveDoors)('%s', (_door, query) => {
  // Each door has people of its own, whose channels are empty.
  beforeAll(async () => {
    alice = await webToken(cluster.origin, `alice${query.only ?? ''}`)
    bob = await webToken(cluster.origin, `bob${query.only ?? ''}`)
  })

  test.each([
    ['no token', {}],
    ['an empty one', { token: '' }],
    ['a number', { token: 7 }],
    ['nonsense', { token: 'nonsense' }],
    ['a key that is not known', { token: 'saoma_nobody_0123456789012345678901234567890123456789012' }],
  ])('the handshake is refused with %s', async (_, auth) => {
    const client = connectLive(origin('a'), { query, token: '', auth, reconnection: false })
    const error = await client.next('connect_error')
    expect(error.data).toMatchObject({ ok: false, code: 'UNAUTHORIZED', react: 'reauth' })
  })

  test('messages of a backend on the other node arrive in a person’s own channel, in order', async () => {
    const client = connectLive(origin('a'), { query, token: alice.access_token })
    const { channel, offset, recovered, messages, inbox } = page(await client.subscribe({ channel: '@user' }))
    expect({ channel, recovered, messages }).toEqual({ channel: `user:${alice.user}`, recovered: false, messages: [] })
    expect(inbox).toEqual({ read: 0, unread: offset })
    const epochs = new Set<string | undefined>()
    for (const n of upTo(3)) {
      const { body } = await publish(origin('b'), { channel, event: 'order', data: n })
      expect(body).toEqual({ epoch: expect.any(String), offset: offset + n + 1, connections: 1 })
      epochs.add(body.epoch)
    }
    expect(epochs.size).toBe(1)
    const heard = await take(client, 3)
    expect(numbers(heard)).toEqual([0, 1, 2])
    expect(heard.map((message) => message.offset)).toEqual([offset + 1, offset + 2, offset + 3])
    expect(heard[0]).toMatchObject({ channel, event: 'order', epoch: [...epochs][0], time: expect.any(Number) })
    expect(heard[0]).not.toHaveProperty('from')
  })

  test('the channel of somebody else cannot be followed, read or published into', async () => {
    const client = connectLive(origin('a'), { query, token: bob.access_token })
    const channel = `user:${alice.user}`
    expect(await client.subscribe({ channel })).toMatchObject({ ok: false, code: 'FORBIDDEN', react: 'stop' })
    expect(await client.presence({ channel })).toMatchObject({ ok: false, code: 'FORBIDDEN' })
    expect(await client.read({ channel, offset: 1 })).toMatchObject({ ok: false, code: 'FORBIDDEN' })
    expect(await client.publish({ channel, event: 'e', data: 1 })).toMatchObject({ ok: false, code: 'FORBIDDEN' })
    expect(await client.publish({ channel: '@user', event: 'e', data: 1 })).toMatchObject({ code: 'FORBIDDEN' })
  })

  // They are published on another node.
  test('10,000 messages from the moment of the ack on arrive once each and in order', async () => {
    const channel = newRoom()
    const reader = connectLive(origin('a'), { query, token: alice.access_token })
    const writer = connectLive(origin('b'), { query, token: testApiKey })
    await writer.next('connect')
    await reader.next('connect')
    const total = 10_000
    const heard: Message[] = []
    const complete = new Promise<void>((resolve) => {
      reader.socket.on('message', (message) => {
        heard.push(message)
        if (heard.length === total) resolve()
      })
    })
    page(await reader.subscribe({ channel }))
    await Promise.all(upTo(total).map((n) => writer.publish({ channel, event: 'n', data: n }, 25_000)))
    await complete
    expect(heard.map(({ offset }) => offset)).toEqual(upTo(total).map((n) => n + 1))
    expect(new Set(numbers(heard)).size).toBe(total)
  })

  // Subscribing again and again while a publisher runs.
  test('the page and the live messages together are the exact sequence, on either node', async () => {
    const channel = newRoom()
    const writer = connectLive(origin('b'), { query, token: testApiKey })
    let running = true
    let sent = 0
    const writing = (async () => {
      while (running) await writer.publish({ channel, event: 'n', data: sent++ })
    })()
    for (const round of upTo(20)) {
      const reader = connectLive(origin(round % 2 === 0 ? 'a' : 'b'), { query, token: bob.access_token })
      const first = page(await reader.subscribe({ channel, history: 5 }))
      const last = first.messages.at(-1)
      const live = await take(reader, 10)
      const offsets = [...first.messages, ...live].map(({ offset }) => offset)
      expect(offsets).toEqual(upTo(offsets.length).map((i) => (offsets[0] ?? 0) + i))
      if (last) expect(first.offset).toBe(last.offset)
      reader.close()
    }
    running = false
    await writing
  })

  // Only after the last page is anything live.
  test('a position from one node continues on the other, and long logs come in pages', async () => {
    const channel = newRoom()
    const reader = connectLive(origin('a'), { query, token: alice.access_token })
    const { epoch, offset } = page(await reader.subscribe({ channel }))
    reader.close()
    for (let i = 0; i < 700; i += 100)
      await publish(
        origin('b'),
        upTo(100).map((n) => ({ channel, event: 'n', data: i + n })),
      )

    const again = connectLive(origin('b'), { query, token: alice.access_token })
    const got: Message[] = []
    let since = { epoch, offset }
    for (let pages = 1; ; pages++) {
      const next = page(await again.subscribe({ channel, since }))
      expect(next.recovered).toBe(true)
      got.push(...next.messages)
      since = { epoch: next.epoch, offset: next.offset }
      if (!next.more) {
        expect(pages).toBe(3)
        break
      }
    }
    expect(numbers(got)).toEqual(upTo(700))
    await publish(origin('a'), { channel, event: 'n', data: 700 })
    expect(await again.next('message')).toMatchObject({ data: 700, offset: 701 })
  })

  test('a gap that cannot be filled is reported as trimmed or as another epoch', async () => {
    const channel = newRoom()
    await publish(
      origin('a'),
      [1, 2, 3].map((data) => ({ channel, event: 'n', data })),
    )
    const reader = connectLive(origin('a'), { query, token: alice.access_token })
    const { epoch } = page(await reader.subscribe({ channel }))
    await request(`${origin('b')}/v1/channels/${channel}/messages?before=3`, { method: 'DELETE', bearer: testApiKey })
    expect(await reader.subscribe({ channel, since: { epoch, offset: 1 } })).toMatchObject({
      recovered: false,
      reason: 'trimmed',
      epoch,
      offset: 3,
      messages: [],
    })
    expect(await reader.subscribe({ channel, since: { epoch, offset: 2 } })).toMatchObject({
      recovered: true,
      offset: 3,
    })
    expect(await reader.subscribe({ channel, since: { epoch: 'another', offset: 2 } })).toMatchObject({
      recovered: false,
      reason: 'epoch',
      offset: 3,
    })
  })

  // Volatile messages have no place in the log.
  test('people publish where the rule lets them, under their own name', async () => {
    const channel = newRoom()
    const speaker = connectLive(origin('a'), { query, token: alice.access_token })
    const hearer = connectLive(origin('b'), { query, token: bob.access_token })
    page(await speaker.subscribe({ channel }))
    page(await hearer.subscribe({ channel }))
    const said = { channel, event: 'said', data: { text: '你好 👋' }, from: 'somebody else' }
    expect(await speaker.publish(said)).toMatchObject({ ok: true, offset: 1, connections: 2 })
    expect(await hearer.next('message')).toMatchObject({ from: alice.user, data: { text: '你好 👋' }, offset: 1 })
    expect(await speaker.publish({ channel, event: 'typing', data: null, volatile: true })).toEqual({
      ok: true,
      connections: 2,
    })
    const typing = await hearer.next('volatile')
    expect(typing).toEqual({ channel, event: 'typing', data: null, from: alice.user, time: expect.any(Number) })
    expect(await speaker.publish({ channel: 'room:read-1', event: 'e', data: 1 })).toMatchObject({ code: 'FORBIDDEN' })
    expect(await speaker.subscribe({ channel: 'room:without-a-rule' })).toMatchObject({ code: 'FORBIDDEN' })
  })

  test('one idempotency key makes one message on all nodes, and refuses other content', async () => {
    const channel = newRoom()
    const message = { channel, event: 'paid', data: { order: 7 }, idempotencyKey: 'order-7' }
    const answers = await Promise.all(upTo(50).map((n) => publish(origin(n % 2 ? 'a' : 'b'), message)))
    expect(new Set(answers.map(({ body }) => body.offset))).toEqual(new Set([1]))
    expect(answers.filter(({ body }) => !body.repeated)).toHaveLength(1)
    const other = await publish(origin('a'), { ...message, data: { order: 8 } })
    expect(other).toMatchObject({ status: 409, body: { code: 'KEY_REUSED' } })
  })

  test('presence over two nodes tells who is there, how many, and who comes and goes', async () => {
    const channel = newRoom()
    const first = connectLive(origin('a'), { query, token: alice.access_token })
    page(await first.subscribe({ channel }))
    expect(await first.next('presence')).toEqual({ channel, event: 'join', user: alice.user, count: 1 })
    const second = connectLive(origin('b'), { query, token: bob.access_token })
    page(await second.subscribe({ channel }))
    expect(await first.next('presence')).toEqual({ channel, event: 'join', user: bob.user, count: 2 })
    const tablet = connectLive(origin('b'), { query, token: bob.access_token })
    page(await tablet.subscribe({ channel }))
    const here = await first.presence({ channel })
    expect(here).toMatchObject({ ok: true, count: 2, connections: 3 })
    expect(here).toMatchObject({ users: expect.arrayContaining([alice.user, bob.user]) })
    tablet.close()
    second.close()
    expect(await first.next('presence')).toEqual({ channel, event: 'leave', user: bob.user, count: 1 })
  })

  test('missed messages are counted, and reading on one device counts on all', async () => {
    const carol = await webToken(cluster.origin, `carol${query.only ?? ''}`)
    const channel = `user:${carol.user}`
    for (const data of [1, 2, 3]) await publish(origin('a'), { channel, event: 'notice', data })
    const phone = connectLive(origin('a'), { query, token: carol.access_token })
    const desk = connectLive(origin('b'), { query, token: carol.access_token })
    expect(await phone.subscribe({ channel: '@user', history: 10 })).toMatchObject({
      inbox: { read: 0, unread: 3 },
      offset: 3,
    })
    page(await desk.subscribe({ channel: '@user' }))
    expect(await phone.read({ channel: '@user', offset: 2 })).toEqual({ ok: true, read: 2, unread: 1 })
    expect(await desk.next('inbox')).toEqual({ channel, read: 2, unread: 1 })
    expect(await desk.read({ channel: '@user', offset: 1 })).toEqual({ ok: true, read: 2, unread: 1 })
    expect(await desk.read({ channel: '@user', offset: 99 })).toEqual({ ok: true, read: 3, unread: 0 })
  })

  test('a connection has limits of channels, of events and of the size of a message', async () => {
    const client = connectLive(origin('a'), { query, token: alice.access_token })
    const channels = upTo(50).map(newRoom)
    for (const channel of channels) page(await client.subscribe({ channel }))
    expect(await client.subscribe({ channel: newRoom() })).toMatchObject({ ok: false, code: 'TOO_MANY_CHANNELS' })
    expect(await client.subscribe({ channel: channels[0] ?? '' })).toMatchObject({ ok: true })
    expect(await client.unsubscribe({ channel: channels[0] ?? '' })).toEqual({ ok: true })
    expect(await client.unsubscribe({ channel: channels[0] ?? '' })).toMatchObject({ code: 'NOT_SUBSCRIBED' })
    const big = { channel: newRoom(), event: 'big', data: 'x'.repeat(32 * 1024) }
    expect(await client.publish(big)).toMatchObject({ ok: false, code: 'TOO_LARGE' })
    const answers = await Promise.all(upTo(400).map(() => client.presence({ channel: '@user' })))
    expect(answers.filter((answer) => !answer.ok && answer.code === 'RATE_LIMITED').length).toBeGreaterThan(100)
    expect(answers.filter(({ ok }) => ok).length).toBeGreaterThan(100)
  })

  test.each([
    ['subscribe', { channel: 'nowhere' }],
    ['subscribe', { channel: 'room:' }],
    ['subscribe', { channel: 'room:a b' }],
    ['subscribe', { channel: 'room:{a}' }],
    ['subscribe', { channel: `room:${'a'.repeat(129)}` }],
    ['subscribe', { channel: 'room:open-x', since: { epoch: 'a', offset: -1 } }],
    ['subscribe', { channel: 'room:open-x', since: { epoch: '', offset: 1 } }],
    ['subscribe', { channel: 'room:open-x', history: 101 }],
    ['subscribe', undefined],
    ['publish', { channel: 'room:open-x', event: '', data: 1 }],
    ['publish', { channel: 'room:open-x', event: 'e' }],
    ['publish', { channel: 'room:open-x', event: 'e"', data: 1 }],
    ['publish', { channel: 'room:open-x', event: 'e', data: 1, idempotencyKey: '' }],
    ['read', { channel: '@user', offset: 1.5 }],
    ['read', { channel: 'room:open-x', offset: 1 }],
    ['refresh', { token: 7 }],
  ] as const)('%s %j is refused as INVALID', async (event, body) => {
    const client = connectLive(origin('a'), { query, token: alice.access_token })
    expect(await client[event](body as never)).toMatchObject({ ok: false, code: 'INVALID', react: 'stop' })
  })

  // The others notice nothing.
  test('a reader that stops reading is cut off at its cap and recovers everything', async () => {
    const before = await slowReaders()
    const channel = newRoom()
    const writer = connectLive(origin('b'), { query, token: testApiKey })
    const good = connectLive(origin('a'), { query, token: bob.access_token })
    const { epoch, offset } = page(await good.subscribe({ channel }))
    // A bare socket that says hello, subscribes and then never reads again.
    const { port } = new URL(origin('a'))
    const deaf = dial(Number(port), '127.0.0.1')
    deaf.on('error', () => {})
    const frame = (text: string) => {
      const payload = Buffer.from(text)
      return Buffer.concat([
        Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]),
        payload,
      ])
    }
    deaf.write(
      `GET /socket.io/?${new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })} HTTP/1.1\r\nHost: a\r\n` +
        'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    await heard(deaf, '0{"sid"')
    deaf.write(frame(`40${JSON.stringify({ token: alice.access_token })}`))
    await heard(deaf, '40{"sid"')
    deaf.write(frame(`420["subscribe",${JSON.stringify({ channel })}]`))
    await heard(deaf, '430[{"ok":true')
    deaf.pause()

    const closed = new Promise<void>((resolve) => deaf.once('close', () => resolve()))
    const total = 600
    const data = 'x'.repeat(30_000)
    for (let sent = 0; sent < total; sent += 50)
      await Promise.all(upTo(50).map(() => writer.publish({ channel, event: 'n', data })))
    expect((await take(good, total)).map((message) => message.offset)).toEqual(upTo(total).map((n) => n + 1))
    expect(await slowReaders()).toBe(before + 1)
    deaf.resume()
    await closed

    const back = connectLive(origin('b'), { query, token: alice.access_token })
    const offsets: number[] = []
    let since = { epoch, offset }
    for (;;) {
      const next = page(await back.subscribe({ channel, since }))
      offsets.push(...next.messages.map((message) => message.offset))
      since = { epoch: next.epoch, offset: next.offset }
      if (!next.more) break
    }
    expect(offsets).toEqual(upTo(total).map((n) => n + 1))
  })

  // Neither when nothing is asked of the past, nor when it is refused.
  test('subscribing again interrupts nothing', async () => {
    const channel = newRoom()
    const reader = connectLive(origin('a'), { query, token: bob.access_token })
    const writer = connectLive(origin('b'), { query, token: testApiKey })
    page(await reader.subscribe({ channel }))
    let running = true
    let sent = 0
    const writing = (async () => {
      while (running) {
        await writer.publish({ channel, event: 'n', data: sent })
        sent++
      }
    })()
    const answers = await Promise.all(
      upTo(30).map((n) => reader.subscribe(n % 2 ? { channel } : { channel, since: { epoch: 'e', offset: -1 } })),
    )
    expect(answers.some(({ ok }) => ok)).toBe(true)
    expect(answers.some(({ ok }) => !ok)).toBe(true)
    running = false
    await writing
    expect((await take(reader, sent)).map(({ offset }) => offset)).toEqual(upTo(sent).map((n) => n + 1))
  })
})
