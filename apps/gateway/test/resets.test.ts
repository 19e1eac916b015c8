import { connect } from 'node:net'
import { LIVE_ONLY, LOGIN_ONLY } from '@saoma/protocol'
import {
  type Cluster,
  connectLogin,
  createTicket,
  metricOf,
  request,
  startCluster,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { failuresOf, nodeAt } from './fixtures.ts'

/**
 * Clients that vanish: a phone without a network resets its connection at any byte of its request, and at any
 * moment after it. No door may take that for more than the end of one connection, whether it serves, refuses,
 * limits or is going away. RESETS=all tries every byte; a failing run names its seed, which RESETS_SEED gives
 * back.
 */
const seed = Number(process.env.RESETS_SEED ?? Date.now() % 2 ** 31)
const all = process.env.RESETS === 'all'
/** Of the bytes of a request, how many are tried in the short form. */
const SOME_BYTES = all ? Number.POSITIVE_INFINITY : 12
/**
 * Milliseconds after the whole request; -1 is at the first byte of the answer, or after `HELD_MS` without
 * one.
 */
const MOMENTS = [0, 0, 0, 1, 1, 2, 3, 5, 8, 13, -1, -1].flatMap((ms) => Array(all ? 10 : 1).fill(ms))
const HELD_MS = 40
/** Connections at a time. */
const ABREAST = 24
/** Handshakes, and requests, of one address in a minute. */
const LIMIT = 60

/** Small and good enough (mulberry32): the same seed gives the same run. */
const createRandom = (start: number) => {
  let state = start
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
const random = createRandom(seed)

let cluster: Cluster
let token: string
let deviceCode: string
let pids: readonly number[]

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: {
      SAOMA_LIMIT_HANDSHAKES: `${LIMIT}`,
      SAOMA_LIMIT_REQUESTS: `${LIMIT}`,
      SAOMA_DRAIN_WINDOW_MS: '3000',
    },
    // So that a test says for itself which address it comes from.
    nginxEnv: { NGINX_TRUST: '127.0.0.0/8' },
  })
  pids = cluster.nodes.map(({ pid }) => pid)
  token = (await webToken(cluster.origin, 'alice')).access_token
  deviceCode = (await createTicket(cluster.origin)).device_code
  // Those who are limited are so from the first door on.
  const exhausting = ['/oidc/jwks', `${ENGINE}polling`].flatMap((path) =>
    cluster.nodes.flatMap(({ port }) =>
      Array.from({ length: LIMIT }, () => ({
        port,
        say: async () => Buffer.from(lines(`GET ${path} HTTP/1.1`, [LIMITED])),
        afterMs: -1,
      })),
    ),
  )
  await knock(exhausting)
})

/** A client's frame, masked with nothing. */
const frame = (text: string): string => {
  const length = Buffer.byteLength(text)
  if (length >= 126) throw new RangeError('a short text')
  return Buffer.concat([Buffer.from([0x81, 0x80 | length, 0, 0, 0, 0]), Buffer.from(text)]).toString('latin1')
}
const lines = (first: string, headers: readonly string[], rest = ''): string =>
  `${[first, 'Host: 127.0.0.1', ...headers].join('\r\n')}\r\n\r\n${rest}`
const handshake = (path: string, headers: readonly string[], frames: readonly string[] = [], protocol = 'websocket') =>
  lines(
    `GET ${path} HTTP/1.1`,
    [
      'Connection: Upgrade',
      `Upgrade: ${protocol}`,
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    ],
    frames.map(frame).join(''),
  )
const bearer = () => `Authorization: Bearer ${token}`
const ENGINE = '/socket.io/?EIO=4&transport='
const ONLY = new URLSearchParams(LOGIN_ONLY).toString()

const stranger = () => `198.18.${random(256)}.${random(256)}`
/**
 * A session of Engine.IO at that port, in which nothing has been said; `none` where nobody takes one in any
 * more.
 */
const session = async (port: number): Promise<string> => {
  const address = { 'x-forwarded-for': stranger() }
  const opened = request<string>(`http://127.0.0.1:${port}${ENGINE}polling`, { headers: address })
  const { status, body } = await opened.catch(() => ({ status: 0, body: '' }))
  return status === 200 ? JSON.parse(body.slice(1)).sid : 'none'
}

type Say = (headers: readonly string[], port: number) => string | Promise<string>

/** What a client says at each door, with the headers of its situation. */
const doors: readonly (readonly [name: string, say: Say])[] = [
  [
    'Socket.IO, a WebSocket',
    (headers) => handshake(`${ENGINE}websocket`, headers, ['40/login,', '42/login,0["watch",{}]']),
  ],
  [
    'Socket.IO, who only waits',
    (headers) => handshake(`${ENGINE}websocket&${ONLY}`, headers, ['40/login,', '42/login,0["watch",{}]']),
  ],
  [
    'Socket.IO, who only follows',
    (headers) =>
      handshake(`${ENGINE}websocket&${new URLSearchParams(LIVE_ONLY)}`, headers, [`40{"token":"${testApiKey}"}`]),
  ],
  ['Socket.IO, a WebSocket of an unknown session', (headers) => handshake(`${ENGINE}websocket&sid=a-x`, headers)],
  ['Socket.IO, of another version', (headers) => handshake('/socket.io/?EIO=3&transport=websocket', headers)],
  ['Socket.IO, by no way there is', (headers) => handshake('/socket.io/x?EIO=4&transport=carrier', headers)],
  ['Socket.IO, polling', (headers) => lines(`GET ${ENGINE}polling HTTP/1.1`, headers)],
  [
    'Socket.IO, a post of an unknown session',
    (headers) => lines(`POST ${ENGINE}polling&sid=a-x HTTP/1.1`, ['Content-Length: 9', ...headers], '40/login,'),
  ],
  [
    'Socket.IO, a poll',
    async (headers, port) => lines(`GET ${ENGINE}polling&sid=${await session(port)} HTTP/1.1`, headers),
  ],
  [
    'Socket.IO, a post',
    async (headers, port) =>
      lines(
        `POST ${ENGINE}polling&sid=${await session(port)} HTTP/1.1`,
        ['Content-Length: 23', ...headers],
        // Nobody stays in a namespace by it.
        '40/nowhere,\x1e40/nowhere,',
      ),
  ],
  [
    'Socket.IO, a session that goes on as a WebSocket',
    async (headers, port) =>
      handshake(`${ENGINE}websocket&sid=${await session(port)}`, headers, ['2probe', '5', '40/login,']),
  ],
  ['the plain WebSocket', (headers) => handshake('/ws', headers, ['ping', '{"op":"auth","token":"x"}'])],
  // Node hands out a stream of its own for it, and not the socket.
  ['a WebSocket whose request has a body', (headers) => handshake('/ws', ['Content-Length: 9', ...headers], ['ping'])],
  [
    'an address of no door, whose request has a body',
    (headers) => handshake('/x', ['Content-Length: 9', ...headers], ['ping']),
  ],
  ['an address of no door', (headers) => handshake('/nowhere', headers)],
  ['an address that is nearly one', (headers) => handshake('/ws/', headers)],
  ['another protocol', (headers) => handshake('/v1/messages', headers, [], 'h2c')],
  ['a tunnel', (headers) => lines('CONNECT 127.0.0.1:80 HTTP/1.1', headers)],
  ['no HTTP', () => 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nno HTTP at all\r\n\r\n'],
  [
    'the event stream of a ticket',
    (headers) =>
      lines(`GET /v1/tickets/${deviceCode.slice(0, 22)} HTTP/1.1`, [
        `Authorization: Bearer ${deviceCode}`,
        'Accept: text/event-stream',
        ...headers,
      ]),
  ],
  [
    'the event stream of a channel',
    (headers) =>
      lines('GET /v1/messages?channel=room:open-resets HTTP/1.1', [bearer(), 'Accept: text/event-stream', ...headers]),
  ],
  [
    'a long poll',
    (headers) => lines('GET /v1/messages?channel=room:open-resets;x;0&wait=25 HTTP/1.1', [bearer(), ...headers]),
  ],
  [
    'a publish',
    (headers) => {
      const body = JSON.stringify({ channel: 'room:open-resets', event: 'n', data: 'x'.repeat(50) })
      const own = [`Authorization: Bearer ${testApiKey}`, `Content-Length: ${body.length}`]
      return lines('POST /v1/publish HTTP/1.1', [...own, ...headers], body)
    },
  ],
  [
    'a body that is too large',
    (headers) =>
      lines('POST /v1/publish HTTP/1.1', [bearer(), 'Content-Length: 3000000', ...headers], 'x'.repeat(9_000)),
  ],
]

/** What meets them, and the headers that bring it about. */
const situations: readonly (readonly [name: string, headers: () => readonly string[]])[] = [
  ['served', () => [`X-Forwarded-For: ${stranger()}`]],
  ['refused', () => ['Origin: http://elsewhere.example', `X-Forwarded-For: ${stranger()}`]],
  ['limited', () => [LIMITED]],
]

const LIMITED = 'X-Forwarded-For: 198.51.100.7'

interface Vanishing {
  port: number
  /** What is said, as far as it is said. */
  say: () => Promise<Buffer>
  afterMs: number
}

/** Says so much, and resets the connection. Resolves when it is gone. */
const vanish = async ({ port, say, afterMs }: Vanishing): Promise<'gone' | 'refused'> => {
  const bytes = await say()
  return new Promise((resolve) => {
    let refused = false
    const tcp = connect(port, '127.0.0.1', () => {
      const reset = () => tcp.resetAndDestroy()
      tcp.write(bytes)
      if (afterMs < 0) tcp.once('data', reset)
      if (afterMs === 0) reset()
      else setTimeout(reset, afterMs < 0 ? HELD_MS : afterMs)
    })
    tcp.on('error', (error: NodeJS.ErrnoException) => {
      refused ||= error.code === 'ECONNREFUSED'
    })
    tcp.once('close', () => resolve(refused ? 'refused' : 'gone'))
  })
}

/** At some bytes, or at all, and then at every moment after the last. */
const vanishings = async (port: number, door: Say, headers: () => readonly string[]): Promise<Vanishing[]> => {
  const text = () => door(headers(), port)
  const { length } = await text()
  const cuts =
    length <= SOME_BYTES
      ? Array.from({ length }, (_, i) => i)
      : Array.from({ length: SOME_BYTES }, () => random(length))
  const upTo = (end?: number) => async () => Buffer.from(await text(), 'latin1').subarray(0, end)
  return [
    ...cuts.map((cut) => ({ port, say: upTo(cut), afterMs: random(3) })),
    ...MOMENTS.map((afterMs) => ({ port, say: upTo(), afterMs })),
  ]
}

/** A few abreast, until all are done or nobody is there any more. */
const knock = async (wanted: readonly Vanishing[]): Promise<void> => {
  const left = [...wanted]
  const walk = async () => {
    for (let next = left.shift(); next; next = left.shift()) if ((await vanish(next)) === 'refused') return
  }
  await Promise.all(Array.from({ length: ABREAST }, walk))
}

const node = (which: 0 | 1) => nodeAt(cluster.nodes, which)

describe.each(situations)(`%s (seed ${seed})`, (_, headers) => {
  test.each(doors)('%s: clients that vanish at any moment hurt no node', async (_, say) => {
    for (const { port } of [node(0), cluster.nginx]) await knock(await vanishings(port, say, headers))
    for (const { internalOrigin } of cluster.nodes)
      expect((await request(`${internalOrigin}/healthz`)).status).toBe(200)
  })
})

test('the same processes hold nobody, have failed at nothing and log somebody in', async () => {
  expect(cluster.nodes.map(({ pid }) => pid)).toEqual(pids)
  for (const one of cluster.nodes) {
    const open = async () => {
      const { body } = await request<string>(`${one.internalOrigin}/metrics`)
      return [...body.matchAll(/^(?:saoma_connections\{.*\}|saoma_longpoll_waiting) (\d+)$/gm)].map(([, n]) =>
        Number(n),
      )
    }
    await until(open, (counts) => counts.every((count) => count === 0))
    expect(failuresOf(one)).toEqual([])
    expect(await metricOf(one, 'saoma_draining')).toBe(0)
  }
  const browser = connectLogin(cluster.origin, { extraHeaders: { 'x-forwarded-for': '198.18.0.1' } })
  const ticket = await createTicket(cluster.origin)
  expect(await browser.watch(ticket.device_code)).toMatchObject({ ok: true })
  browser.close()
  expect(await webToken(cluster.origin, 'bob')).toMatchObject({ token_type: 'Bearer' })
})

// The last: it takes a node away.
test(`a leaving node is asked at every door until it is gone, and ends in order (seed ${seed})`, async () => {
  const leaving = node(1)
  const wanted = await Promise.all(
    situations.flatMap(([, headers]) =>
      doors.flatMap(([, say]) => [leaving, cluster.nginx].map(({ port }) => vanishings(port, say, headers))),
    ),
  )
  const inAnyOrder = wanted.flat().map((one) => ({ one, at: random(2 ** 31) }))
  const prepared = inAnyOrder.sort((a, b) => a.at - b.at).map(({ one }) => one)
  const stopped = leaving.kill('SIGTERM')
  await leaving.nextLine(({ json }) => json?.event === 'draining')
  await knock(prepared)
  await stopped
  expect(await leaving.exited).toEqual({ code: 0, signal: null })
  expect(failuresOf(leaving)).toEqual([])
  expect(await webToken(cluster.origin, 'carol')).toMatchObject({ token_type: 'Bearer' })
})
