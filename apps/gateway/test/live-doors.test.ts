import { once } from 'node:events'
import { LIVE_ONLY } from '@saoma/protocol'
import {
  connectLive,
  type Gateway,
  liveDoors,
  onCleanup,
  request,
  startGateway,
  startRedis,
  testApiKey,
  webToken,
} from '@saoma/testing'
import fc from 'fast-check'
import WebSocket from 'ws'
import { seed } from './fixtures.ts'
import { compareDoors, type Frame } from './judge-doors.ts'

/*
 * The same judge as in waiting-doors.test.ts, for the door of those who only follow channels. A failing run
 * names its seed and path in the report; put them into FUZZ_SEED to see it again.
 */

let gateway: Gateway

beforeAll(async () => {
  const redis = await startRedis()
  gateway = await startGateway({
    redisUrl: redis.url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: { LOG_LEVEL: 'debug', SAOMA_LIMIT_KEY_EVENTS: '100000' },
  })
})

const token = JSON.stringify({ token: testApiKey })
const compare = (frames: readonly Frame[]): Promise<string[]> =>
  compareDoors(
    {
      origin: gateway.origin,
      only: LIVE_ONLY,
      join: `40${token}`,
      mark: '4277["presence",null]',
      marked: '4377',
    },
    frames,
  )

const single: Frame[] = [
  ...['', '0', '1', '2', '3', '4', '5', '6', '7', 'x', 'b', 'bAAAA', 'b!', '3probe', '2probe'],
  ...[
    '40',
    `40${token}`,
    '40{}',
    '40[]',
    '40x',
    '40/other,',
    '40/other',
    '40/other?a=b,',
    '40//,',
    '40/中文,',
    '40/a?b,',
  ],
  ...['41', '41{}', '41/other,', '41/login,'],
  ...['42', '42[]', '42["x"]', '421["x"]', '42["connect"]', '42["error"]', '42[1]', '42{}', '42/other,1["subscribe"]'],
  ...[
    '42["subscribe"]',
    '421["subscribe"]',
    '421["subscribe",{}]',
    '421["subscribe",{"channel":7},2]',
    '421["subscribe",',
  ],
  ...['421["unsubscribe",{"channel":"room:open-a"}]', '421["read",{}]'],
  ...['421["publish",{"channel":"nowhere","event":"x"}]', '421["publish",{"channel":"room:open-a","data":1e400}]'],
  ...[
    '421["refresh",{}]',
    '421["refresh",{"token":"x"}]',
    `421["refresh",${token}]`,
    '421["toString"]',
    '421["__proto__"]',
  ],
  ...['42-1["presence"]', '421.5["presence"]', '421', '431[]', '43', '431{}', '44', '44{}', '44"x"', '45', '47', '4x'],
  ...['451-1["presence",{"_placeholder":true,"num":0}]', '45-1["presence"]', '4599-1["presence"]', '46x'],
  Buffer.alloc(0),
  Buffer.from('4'),
]

test.each(single.map((frame) => [frame]))('the frame %j is answered as by Socket.IO', async (frame) => {
  await compare([frame])
})

test(`any frames, one after the other, are answered as by Socket.IO (seed ${seed})`, async () => {
  const names = fc.constantFrom('subscribe', 'unsubscribe', 'presence', 'read', 'refresh', 'nothing')
  const text = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...single) },
    { weight: 3, arbitrary: fc.tuple(names, fc.json()).map(([name, json]) => `425["${name}",${json}]`) },
    { weight: 1, arbitrary: fc.json().map((json) => `42${json}`) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
    { weight: 1, arbitrary: fc.string().map((some) => `4${some}`) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (frames) => {
      await compare(frames)
    }),
    { seed, numRuns: Number(process.env.FUZZ_RUNS ?? 120) },
  )
  expect((await request(`${gateway.internalOrigin}/readyz`)).status).toBe(200)
  expect(
    gateway.lines.filter(({ json: line }) => !line || line.level === 'error' || line.event === 'unhandledRejection'),
  ).toEqual([])
})

/** A client that says frames of its own. */
const dial = async (query: Readonly<Record<string, string>>) => {
  const parameters = new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/socket.io/?${parameters}`)
  onCleanup(() => socket.terminate())
  socket.on('error', () => {})
  const frames: string[] = []
  socket.on('message', (data: Buffer) => frames.push(data.toString()))
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  await once(socket, 'open')
  return { socket, frames, closed }
}

const metric = async (pattern: RegExp): Promise<number> => {
  const { body } = await request<string>(`${gateway.internalOrigin}/metrics`)
  return Number(pattern.exec(body)?.[1] ?? 0)
}

test.each(liveDoors)('%s: who asks twice before the answer is cut off', async (_, query) => {
  const cut = /^saoma_connections_cut_total\{reason="protocol"\} (\d+)$/m
  const before = await metric(cut)
  // A session is looked up in Redis, so the answer takes a moment.
  const { access_token: alice } = await webToken(gateway.origin, 'alice')
  const ask = `40${JSON.stringify({ token: alice })}`
  const { socket, closed } = await dial(query)
  socket.send(ask)
  socket.send(ask)
  await closed
  expect(await metric(cut)).toBe(before + 1)
})

test.each(liveDoors)('%s: an event before the answer closes the connection', async (_, query) => {
  // A session is looked up in Redis, so the answer takes a moment.
  const { access_token: alice } = await webToken(gateway.origin, 'alice')
  const { socket, closed } = await dial(query)
  socket.send(`40${JSON.stringify({ token: alice })}`)
  socket.send('421["presence",{"channel":"room:open-a"}]')
  expect(await closed).toBe(1005)
})

test.each(liveDoors)('%s: a refused token may be followed by a better one', async (_, query) => {
  const client = connectLive(gateway.origin, { token: 'nonsense', query, reconnection: false })
  const { data, message } = await client.next('connect_error')
  expect([message, data]).toEqual(['UNAUTHORIZED', expect.objectContaining({ ok: false, code: 'UNAUTHORIZED' })])
  client.socket.auth = { token: testApiKey }
  client.socket.connect()
  await client.next('connect')
  expect(await client.subscribe({ channel: 'room:open-better' })).toMatchObject({ ok: true, recovered: false })
})

test.each(liveDoors)('%s: the log names who has connected', async (_, query) => {
  const client = connectLive(gateway.origin, { token: testApiKey, query })
  await client.next('connect')
  const { id } = client.socket
  const line = await gateway.nextLine(({ json }) => json?.event === 'connected' && json.socket === id)
  expect(line.json).toMatchObject({ level: 'debug', kind: 'backend' })
})

test.each(liveDoors)('%s: who leaves the namespace follows nothing, and may come back', async (_, query) => {
  const followers = () => metric(/^saoma_followers (\d+)$/m)
  const before = await followers()
  const { socket, frames } = await dial(query)
  const heard = async (start: string) => {
    for (;;) {
      const found = frames.findIndex((frame) => frame.startsWith(start))
      if (found >= 0) return frames.splice(0, found + 1).at(-1)
      await once(socket, 'message')
    }
  }
  for (const id of [1, 2]) {
    socket.send(`40${token}`)
    await heard('40{')
    socket.send(`42${id}["subscribe",{"channel":"room:open-return"}]`)
    expect(await heard(`43${id}`)).toContain('"ok":true')
    expect(await followers()).toBe(before + 1)
    socket.send('41')
    socket.ping()
    await once(socket, 'pong')
    expect(await followers()).toBe(before)
  }
  socket.terminate()
})
