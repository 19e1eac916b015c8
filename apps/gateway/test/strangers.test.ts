import { once } from 'node:events'
import { connect as dial } from 'node:net'
import {
  closeOf,
  connectLive,
  type Gateway,
  liveDoors,
  loginDoors,
  request,
  startGateway,
  startRedis,
  testApiKey,
} from '@saoma/testing'
import WebSocket from 'ws'

/** What a person without a token may do to a node over one connection, straight to it. */
let gateway: Gateway

beforeAll(async () => {
  const redis = await startRedis()
  gateway = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://127.0.0.1' })
})

const address = (query: Readonly<Record<string, string>> = {}): string =>
  `/socket.io/?${new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })}`

const engine = async (query?: Readonly<Record<string, string>>): Promise<WebSocket> => {
  const socket = new WebSocket(gateway.origin.replace('http', 'ws') + address(query))
  socket.on('error', () => {})
  await once(socket, 'open')
  return socket
}

const metric = async (pattern: RegExp): Promise<number> => {
  const { body } = await request<string>(`${gateway.internalOrigin}/metrics`)
  return Number(pattern.exec(body)?.[1] ?? 0)
}
const memory = () => metric(/^process_resident_memory_bytes (\S+)$/m)
const MOST_GROWTH = 60 * 2 ** 20
/** Of each of five connections: the large ones are more than that growth. */
const PACKETS = 800

/** All doors of Socket.IO's protocol. */
const doors = [...loginDoors, ...liveDoors.slice(0, 1)]

const asked = [
  ['to one namespace', '40/login,'],
  ['to the root, with a token', `40${JSON.stringify({ token: testApiKey })}`],
  ['to a namespace that is not there, whose name would be said back', `40/${'x'.repeat(30_000)},`],
] as const

test.each(doors.flatMap(([door, query]) => asked.map(([where, packet]) => [where, door, packet, query] as const)))(
  'repeated requests to join %s, %s, end the connection and leave no sockets',
  async (_, __, packet, query) => {
    const before = await memory()
    const sockets = await Promise.all(Array.from({ length: 5 }, () => engine(query)))
    const closed = Promise.all(sockets.map((socket) => closeOf(socket)))
    for (const socket of sockets) {
      socket.pause()
      for (let i = 0; i < PACKETS; i++) socket.send(packet)
      socket.resume()
    }
    await closed
    expect(await metric(/^saoma_connections\{.*\} (\d+)$/m)).toBe(0)
    expect((await memory()) - before).toBeLessThan(MOST_GROWTH)
  },
)

test.each(doors)('a flood of packets is cut off, %s', async (_, query) => {
  const cut = /^saoma_connections_cut_total\{reason="flood"\} (\d+)$/m
  const before = await metric(cut)
  const socket = await engine(query)
  const closed = closeOf(socket)
  // Engine.IO's pongs, which no namespace ever sees.
  for (let i = 0; i < 1_000; i++) socket.send('3')
  await closed
  expect(await metric(cut)).toBe(before + 1)
})

test.each(doors)('pings of a client that reads no pongs fill no memory, %s', async (_, query) => {
  const before = await memory()
  const tcp = dial(Number(new URL(gateway.origin).port), '127.0.0.1')
  tcp.on('error', () => {})
  tcp.write(
    `GET ${address(query)} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await once(tcp, 'data')
  tcp.pause()
  const closed = closeOf(tcp)
  const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125)])
  const burst = Buffer.concat(Array.from({ length: 8_000 }, () => ping))
  for (let sent = 0; sent < 100 && !tcp.destroyed; sent++)
    // The node hangs up in the middle of it.
    if (!tcp.write(burst)) await Promise.race([once(tcp, 'drain').catch(() => {}), closed])
  expect((await memory()) - before).toBeLessThan(MOST_GROWTH)
  tcp.destroy()
})

test('a known client may say more than a stranger', async () => {
  const backend = connectLive(gateway.origin, { token: testApiKey })
  await backend.next('connect')
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => backend.publish({ channel: 'room:open-busy', event: 'n', data: n })),
  )
  expect(answers.every(({ ok }) => ok)).toBe(true)
})

test('a client that asks for pages and does not read them is cut off', async () => {
  const channels = Array.from({ length: 60 }, (_, n) => `room:open-page-${n}`)
  const writer = connectLive(gateway.origin, { token: testApiKey })
  await writer.next('connect')
  const data = 'x'.repeat(30_000)
  await Promise.all(
    channels.flatMap((channel) => Array.from({ length: 8 }, () => writer.publish({ channel, event: 'n', data }))),
  )
  const reader = await engine()
  reader.send(`40${JSON.stringify({ token: testApiKey })}`)
  await new Promise<void>((resolve) => {
    reader.on('message', (text) => {
      if (String(text).startsWith('40')) resolve()
    })
  })
  reader.pause()
  channels.forEach((channel, n) => {
    reader.send(`42${n}["subscribe",${JSON.stringify({ channel, history: 8 })}]`)
  })
  for (let reads = 0; reads < 5_000; reads++) if ((await metric(/^saoma_slow_consumer_closed_total (\d+)$/m)) > 0) break
  expect(await metric(/^saoma_slow_consumer_closed_total (\d+)$/m)).toBe(1)
  reader.terminate()
})
