import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import { type Cluster, closeOf, connectLogin, createTicket, loginDoors, request, startCluster } from '@saoma/testing'
import { failuresOf } from './fixtures.ts'

let cluster: Cluster
let origin: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  origin = cluster.origin
})

test.each(loginDoors)('%s: a malformed watch is refused, and the socket stays open', async (_, query) => {
  const { device_code, ticket } = await createTicket(origin)
  const browser = connectLogin(origin, { query })
  const watch = (...args: unknown[]) =>
    browser.socket.timeout(5_000).emitWithAck('watch', ...(args as [{ deviceCode: string }]))
  const wrong = [
    [],
    [null],
    [7],
    ['x'],
    [[]],
    [{}],
    [{ deviceCode: 7 }],
    [{ deviceCode: ticket }],
    [{ deviceCode: `${device_code}x` }],
    [Buffer.from('x')],
  ]
  for (const args of wrong) expect(await watch(...args)).toMatchObject({ ok: false, code: 'INVALID', react: 'stop' })
  expect(await watch({ deviceCode: 'A'.repeat(65) })).toMatchObject({
    ok: false,
    code: 'TICKET_NOT_FOUND',
    react: 'renew',
  })
  expect(await watch({ deviceCode: device_code })).toMatchObject({ ok: true })
  browser.close()
})

test.each(loginDoors)('%s: a socket that floods is closed, and the others notice nothing', async (_, query) => {
  const { device_code } = await createTicket(origin)
  const [flood, other] = [connectLogin(origin, { query, reconnection: false }), connectLogin(origin)]
  await Promise.all([flood.next('connect'), other.next('connect')])
  for (let i = 0; i < 200; i++) flood.socket.emit('watch', { deviceCode: 'x' }, () => {})
  // By the limit of its events, or by the guard of the connection, whichever is there first.
  expect(await flood.next('disconnect')).toMatch(/^(io server disconnect|transport close|transport error)$/)
  expect(await other.watch(device_code)).toMatchObject({ ok: true })
  other.close()
})

test('a foreign origin, an unknown namespace and the empty namespace are refused', async () => {
  for (const [, query] of loginDoors) {
    const extraHeaders = { origin: 'https://evil.example' }
    const foreign = connectLogin(origin, { query, extraHeaders, reconnection: false })
    expect(await foreign.next('connect_error')).toBeInstanceOf(Error)
  }
  const empty = await request(`${origin}/socket.io/?EIO=4&transport=polling&sid=`, {
    headers: { origin: 'https://evil.example' },
  })
  expect(empty).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } })
  const polling = await request(`${origin}/socket.io/?EIO=4&transport=polling`, {
    headers: { origin: 'https://evil.example' },
  })
  expect(polling).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } })
  expect(await request(`${origin}/socket.io/?EIO=3&transport=polling`)).toMatchObject({
    status: 400,
    body: { code: 5, message: expect.stringContaining('use Socket.IO 3 or 4') },
  })
  expect(await request(`${origin}/socket.io/?EIO=4&transport=polling&sid=a-nosuchsession`)).toMatchObject({
    status: 400,
  })
})

test('leaving and rejoining the namespace does not reset the limits', async () => {
  const url = `${cluster.nodes[0]?.origin}/socket.io/?EIO=4&transport=polling`
  const opened = await request<string>(url)
  const session = `${url}&sid=${JSON.parse(opened.body.slice(1)).sid}`
  const post = (...packets: string[]) => fetch(session, { method: 'POST', body: packets.join('\x1e') })
  // Ten times: join, ask four times, leave.
  for (let round = 0; round < 10; round++) {
    await post('40/login,', ...Array.from({ length: 4 }, (_, i) => `42/login,${i}["watch",{}]`), '41/login,')
  }
  const answers = await (await fetch(session)).text()
  expect(answers.match(/43\/login,/g)?.length ?? 0).toBeLessThanOrEqual(20)
})

test('an upgrade to any other address is a plain 404, and nginx still trusts its nodes', async () => {
  const upgrade = { headers: { connection: 'Upgrade', upgrade: 'websocket' } }
  const ask = (url: string) =>
    new Promise<number>((resolve, reject) => {
      get(url, upgrade, (answer) => resolve(answer.resume().statusCode ?? 0))
        .on('error', reject)
        .on('upgrade', () => reject(new Error('it was upgraded')))
    })
  expect(await ask(`${cluster.nodes[0]?.origin}/`)).toBe(404)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => ask(`${origin}${['/', '/wsx', '/v1/x'][i % 3]}`)),
  )
  expect(new Set(answers)).toEqual(new Set([404]))
  const ordinary = await Promise.all(Array.from({ length: 100 }, () => request(`${origin}/oidc/jwks`)))
  expect(ordinary.filter(({ status }) => status !== 200)).toEqual([])
})

test('raw bytes in place of HTTP or of frames do no harm', async () => {
  const node = cluster.nodes[0]
  const speak = async (bytes: string | Buffer): Promise<void> => {
    const tcp = connect(node?.port ?? 0, '127.0.0.1')
    tcp.on('error', () => {})
    await once(tcp, 'connect')
    tcp.write(bytes)
    tcp.resume()
    await closeOf(tcp)
  }
  await speak('GARBAGE\r\n\r\n')
  await speak('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n')
  await speak(Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff, 0x00]))
  for (const [, query] of loginDoors) {
    const handshake = Buffer.from(
      `GET /socket.io/?${new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n` +
        'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    // A frame that claims to be larger than anything, and one that is not masked.
    const huge = [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]
    for (const frame of [huge, [0x81, 0x02, 0x34, 0x30]]) await speak(Buffer.concat([handshake, Buffer.from(frame)]))
  }
  expect((await request(`${node?.internalOrigin}/healthz`)).status).toBe(200)
})

test('no node has logged an error after all these tests', () => {
  expect(cluster.nodes.flatMap(failuresOf)).toEqual([])
})
