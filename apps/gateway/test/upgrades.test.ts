import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { LIVE_ONLY, LOGIN_ONLY } from '@saoma/protocol'
import {
  type Cluster,
  closeOf,
  type Gateway,
  metricOf,
  onCleanup,
  request,
  startCluster,
  testApiKey,
  until,
} from '@saoma/testing'

/** What asks to be something else than HTTP, and is no door's. */
let cluster: Cluster
let node: Gateway

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 })
  node = cluster.nodes[0] as Gateway
})

const WEBSOCKET = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA']
const FOREIGN = 'Origin: http://elsewhere.example'
const ENGINE = '/socket.io/?EIO=4&transport='

const text = (first: string, headers: readonly string[], body = ''): string =>
  `${[`${first} HTTP/1.1`, 'Host: 127.0.0.1', ...headers].join('\r\n')}\r\n\r\n${body}`

/** A client that keeps its own side open, whatever the server does. */
const dial = async (port: number): Promise<Socket> => {
  const tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  onCleanup(() => tcp.destroy())
  tcp.on('error', () => {})
  await once(tcp, 'connect')
  return tcp
}

/** All that is answered until the server has closed its side. */
const answerTo = async (port: number, said: string) => {
  const tcp = await dial(port)
  let answer = ''
  tcp.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk
  })
  tcp.write(said)
  await once(tcp, 'end')
  tcp.destroy()
  const [head = '', body = ''] = answer.split('\r\n\r\n', 2)
  const [status = '', ...headers] = head.split('\r\n')
  return { status: Number(status.split(' ')[1]), headers: headers.join('\n').toLowerCase(), body }
}

const nowhere = [
  '/',
  '/ws/',
  '/wsx',
  '/ws/x',
  '/socket.io',
  '/socket.iox',
  '/nowhere',
  '/v1/messages',
  '/oidc/jwks',
  '//ws',
]

test.each(nowhere)(
  'a WebSocket to %s is answered with a 404 problem at once, and the connection ends',
  async (path) => {
    const rejected = () => metricOf(node, 'saoma_handshake_rejected_total{reason="nowhere"}')
    const before = (await rejected()) || 0
    const answer = await answerTo(node.port, text(`GET ${path}`, WEBSOCKET))
    expect(answer.status).toBe(404)
    expect(answer.headers).toContain('content-type: application/problem+json')
    expect(answer.headers).toContain('connection: close')
    expect(answer.headers).toContain(`x-saoma-node: ${node.id}`)
    expect(JSON.parse(answer.body)).toMatchObject({ status: 404, code: 'NOT_FOUND', react: 'stop' })
    expect(await rejected()).toBe(before + 1)
  },
)

test.each(['/ws/', '/wsx', '/socket.io', '/socket.iox', '/nowhere'])(
  'a WebSocket to %s through nginx is answered 404 at once',
  async (path) => {
    const answer = await answerTo(
      cluster.nginx.port,
      text(`GET ${path}`, [...WEBSOCKET.slice(1), 'Connection: Upgrade, close']),
    )
    expect(answer.status).toBe(404)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'NOT_FOUND' })
  },
)

// It is served as if it had not been asked for, and then the connection ends.
describe('an upgrade to another protocol', () => {
  test('a page that exists is served', async () => {
    const answer = await answerTo(node.port, text('GET /oidc/jwks', H2C))
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).toHaveProperty('keys')
  })

  test('a page that does not exist is answered 404', async () => {
    expect(await answerTo(node.port, text('GET /nowhere', H2C))).toMatchObject({ status: 404 })
  })

  test('a body is read', async () => {
    const body = JSON.stringify({ channel: 'room:open-h2c', event: 'n', data: 1 })
    const headers = [...H2C, `Authorization: Bearer ${testApiKey}`, `Content-Length: ${body.length}`]
    const answer = await answerTo(node.port, text('POST /v1/publish', headers, body))
    expect(JSON.parse(answer.body)).toMatchObject({ offset: 1 })
  })

  test('Socket.IO answers a poll, and no WebSocket', async () => {
    const polling = await answerTo(node.port, text(`GET ${ENGINE}polling`, H2C))
    expect(polling).toMatchObject({ status: 200, body: expect.stringMatching(/^0\{"sid"/) })
    expect(await answerTo(node.port, text(`GET ${ENGINE}websocket`, H2C))).toMatchObject({ status: 400 })
    expect(await answerTo(node.port, text('GET /ws', H2C))).toMatchObject({ status: 404 })
  })
})

test('only GET begins a WebSocket, and any other method is an ordinary request', async () => {
  expect(await answerTo(node.port, text('POST /ws', [...WEBSOCKET, 'Content-Length: 0']))).toMatchObject({
    status: 404,
  })
})

test('a tunnel is answered 405', async () => {
  const answer = await answerTo(node.port, text('CONNECT 127.0.0.1:80', []))
  expect(answer.status).toBe(405)
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
})

describe('behind a request that is still being answered', () => {
  const before = text('GET /oidc/jwks', [])
  test.each([
    ['a WebSocket to no door', text('GET /nowhere', WEBSOCKET)],
    ['a WebSocket to a door', text('GET /ws', WEBSOCKET)],
    ['a WebSocket of Socket.IO', text(`GET ${ENGINE}websocket`, WEBSOCKET)],
    ['a tunnel', text('CONNECT 127.0.0.1:80', [])],
  ])('%s ends the connection, and overtakes no answer', async (_, behind) => {
    const tcp = await dial(node.port)
    let answer = ''
    tcp.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk
    })
    tcp.on('end', () => tcp.destroy())
    tcp.write(before + behind)
    await Promise.race([closeOf(tcp), once(tcp, 'data')])
    expect(answer).toBe('')
  })

  test('a WebSocket after that answer is served', async () => {
    const tcp = await dial(node.port)
    let answer = ''
    tcp.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk
    })
    tcp.write(before)
    while (!answer.includes('"keys"')) await once(tcp, 'data')
    answer = ''
    tcp.write(text('GET /ws', WEBSOCKET))
    while (!answer.includes('\r\n\r\n')) await once(tcp, 'data')
    expect(answer).toMatch(/^HTTP\/1\.1 101 /)
    tcp.destroy()
  })
})

test('the internal port serves an upgrade like a plain request, and takes no tunnel', async () => {
  const ask = (first: string, headers: readonly string[]) =>
    answerTo(node.internalPort, text(first, [...headers, 'Connection: close']))
  expect(await ask('GET /healthz', WEBSOCKET)).toMatchObject({ status: 200 })
  expect(await ask('GET /nowhere', H2C)).toMatchObject({ status: 404 })
  expect(await ask('CONNECT 127.0.0.1:80', [])).toMatchObject({ status: Number.NaN })
  expect((await request(`${node.internalOrigin}/healthz`)).status).toBe(200)
})

const refused = [
  ['no door', '/nowhere'],
  ['the plain WebSocket', '/ws'],
  ['Socket.IO', `${ENGINE}websocket`],
  ['those who only wait', `${ENGINE}websocket&${new URLSearchParams(LOGIN_ONLY)}`],
  ['those who only follow', `${ENGINE}websocket&${new URLSearchParams(LIVE_ONLY)}`],
] as const

test.each(refused)(
  'a client refused by %s has time to read why, and is cut off when it never closes',
  async (_, path) => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => dial(node.port)))
    for (const tcp of clients) {
      tcp.setEncoding('utf8')
      tcp.write(text(`GET ${path}`, [...WEBSOCKET, FOREIGN]))
      // What comes behind it is read by nobody, and must not spoil the answer.
      tcp.write('x'.repeat(10_000))
    }
    const heard = await Promise.all(clients.map(async (tcp) => String((await once(tcp, 'data'))[0])))
    expect(new Set(heard.map((answer) => answer.split(' ')[1]))).toEqual(new Set([path === '/nowhere' ? '404' : '403']))
    // Half of each connection is left. Who writes into one that the server has let go of is told by a reset.
    const left = async () => {
      const open = clients.filter(({ destroyed }) => !destroyed)
      for (const tcp of open) tcp.write('x')
      return open.length
    }
    expect(await left()).toBe(clients.length)
    await until(left, (count) => count === 0)
  },
)
