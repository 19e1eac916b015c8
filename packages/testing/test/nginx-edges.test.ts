import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  closeOf,
  createAuthority,
  freePort,
  type Line,
  type Nginx,
  onCleanup,
  plainEnv,
  request,
  startAwake,
  startProcess,
  until,
} from '@saoma/testing'
import { start, startNode } from './small-node.ts'

/** Sends these bytes and leaves the connection as it is. */
const send = async (nginx: Pick<Nginx, 'port'>, text: string, host = '127.0.0.1'): Promise<Socket> => {
  const socket = connect(nginx.port, host)
  onCleanup(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

/** All that comes until the other side ends, or the body of one answer is there. */
const answerOf = async (socket: Socket): Promise<{ status: number; head: string; body: string }> => {
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s)
    const length = /^content-length: (\d+)/im.exec(head)?.[1]
    if (length !== undefined && body.length >= Number(length)) break
  }
  const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s)
  return { status: Number(head.split(' ')[1]), head, body }
}

const raw = async (nginx: Nginx, text: string) => answerOf(await send(nginx, text))

const silent: RequestListener = () => {}
const refusing: RequestListener = (_, response) => void response.writeHead(401).end('{}')
const times = <T>(count: number, act: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => act(i)))
const post = (path: string, bytes: number, headers = '') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n${headers}\r\n`
const UPGRADE = 'GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

/** Bytes of memory that the workers have. */
const memoryOf = async (nginx: Nginx): Promise<number> => {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '--ppid', `${await nginx.masterPid()}`])
  return stdout
    .trim()
    .split('\n')
    .reduce((sum, kb) => sum + Number(kb) * 1024, 0)
}

describe('slow bodies', () => {
  test('a node refuses a request before its body arrives, wherever it goes', async () => {
    const { nginx } = await start([await startNode('a', refusing)])
    const paths = [
      '/v1/publish',
      '/v1/mesh/publish',
      '/v1/tickets/x/confirm',
      '/oidc/token',
      '/socket.io/?EIO=4&sid=a-x',
    ]
    for (const path of paths) {
      const socket = await send(nginx, `${post(path, 60_000)}[`)
      expect([path, (await answerOf(socket)).status]).toEqual([path, 401])
    }
  })

  test('sixty bodies that stop early cost nginx almost nothing', async () => {
    const node = await startNode('a', silent)
    const { nginx } = await start([node])
    const before = await memoryOf(nginx)
    const sockets = await times(60, () => send(nginx, post('/v1/publish', 1_000_000)))
    for (const socket of sockets) socket.write(Buffer.alloc(980_000, 'x'))
    await until(
      async () => node.seen.length === 60 && sockets.every(({ writableLength }) => writableLength === 0),
      Boolean,
    )
    expect((await memoryOf(nginx)) - before).toBeLessThan(12_000_000)
  })

  test('a body that stands still is given up', async () => {
    const { nginx } = await start([await startNode('a', silent)])
    const awake = startAwake()
    const socket = await send(nginx, `${post('/v1/publish', 1_000)}[`)
    socket.resume()
    await closeOf(socket)
    // `client_body_timeout` is 10 s. All other times of nginx are longer.
    expect(awake.stop()).toBeLessThan(20_000)
  })

  test('a POST with a slow body goes to the other node while the first does not listen', async () => {
    const { ask } = await start([{ id: 'a', port: await freePort() }, await startNode('b')])
    const answers = await times(20, () => ask('/v1/x', { json: { text: 'x'.repeat(5_000) } }))
    expect(answers.map(({ status, body }) => `${status} ${body.id}`)).toEqual(Array(20).fill('200 b'))
  })

  // A request without a body does not count.
  test('each network has its own limit of bodies under way', async () => {
    const node = await startNode('a', (incoming, response) => void (incoming.method === 'GET' && response.end('{}')))
    const { nginx, ask } = await start([node], { env: { NGINX_LIMIT_SENDERS: '20', NGINX_TRUST: '127.0.0.1' } })
    const from = (address: string) => send(nginx, post('/v1/x', 100, `X-Forwarded-For: ${address}\r\n`))
    const held = async (many: number) =>
      until(
        async () => node.seen.length,
        (seen) => seen >= many,
      )
    await times(20, (i) => from(`2001:db8:1:2::${i + 1}`))
    await held(20)
    const refused = await answerOf(await from('2001:db8:1:2:ffff::1'))
    expect(refused).toMatchObject({ status: 503, head: expect.stringMatching(/^Retry-After: 5/im) })
    expect(JSON.parse(refused.body)).toMatchObject({ status: 503, react: 'retry', error: 'temporarily_unavailable' })
    await from('2001:db8:1:3::1')
    await from('203.0.113.9')
    await from('203.0.113.10')
    await held(23)
    const get = { headers: { 'x-forwarded-for': '2001:db8:1:2::1' } }
    expect((await ask('/v1/x', get)).status).toBe(200)
  })
})

// It still answers the probe.
test('nginx that is full refuses new sockets with a reason and recovers when some leave', async () => {
  const probe = `127.0.0.1:${await freePort()}`
  const node = await startNode('a', undefined, { keepsSockets: true })
  const env = { NGINX_CONNECTIONS: '128', NGINX_PROBE: probe, NGINX_LIMIT_SENDERS: '10' }
  const { nginx, ask } = await start([node], { env })
  const sockets = await times(44, () => send(nginx, UPGRADE))
  await until(
    async () => node.seen.length,
    (seen) => seen === 44,
  )
  const refused = await raw(nginx, UPGRADE)
  expect([refused.status, JSON.parse(refused.body).react]).toEqual([503, 'retry'])
  expect((await ask('/')).status).toBe(503)
  for (let i = 0; i < 20; i++) expect((await request(`http://${probe}/nginx-health`)).status).toBe(204)
  expect((await request(`http://${probe}/nginx-status`)).body).toMatch(/^Active connections: \d+/)
  expect((await request(`http://${probe}/v1/x`)).status).toBe(404)
  sockets[0]?.destroy()
  await until(
    () => ask('/'),
    ({ status }) => status === 200,
  )
})

test('an error of nginx’s own is a problem in JSON', async () => {
  const { nginx } = await start([await startNode('a')])
  const long = 'a'.repeat(40_000)
  const cases: [request: string, status: number][] = [
    ['GARBAGE\r\n\r\n', 400],
    ['GET /v1/x HTTP/1.1\r\n\r\n', 400],
    [`GET /v1/x HTTP/1.1\r\nHost: x\r\nX-Long: ${long}\r\n\r\n`, 400],
    ['TRACE /v1/x HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    [`GET /v1/${long} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
    ['POST /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n', 501],
    ['GET /v1/x HTTP/9.1\r\nHost: x\r\n\r\n', 505],
  ]
  for (const [text, status] of cases) {
    const answer = await raw(nginx, text)
    expect([text.slice(0, 20), answer.status]).toEqual([text.slice(0, 20), status])
    expect(answer.head).toMatch(/^Content-Type: application\/problem\+json/im)
    expect(JSON.parse(answer.body)).toMatchObject({ status, code: 'INVALID', react: 'stop' })
  }
})

test('the log contains no query', async () => {
  const lines: Line[] = []
  const { nginx, ask } = await start([{ id: 'a', port: await freePort() }], { onLine: (line) => lines.push(line) })
  const headers = { referer: 'https://www.example.com/?token=secret2' }
  expect((await ask('/socket.io/?EIO=4&sid=a-secret1', { headers })).status).toBe(502)
  await until(async () => lines.some(({ text }) => text.includes('connect() failed')), Boolean)
  await nginx.stop()
  expect(lines.map(({ text }) => text).join()).not.toMatch(/secret|sid=/)
})

describe('who asks', () => {
  const forwarded = { headers: { 'x-forwarded-for': '203.0.113.9', 'x-saoma-untrusted': '192.0.2.1' } }

  test('an untrusted proxy is named to the nodes, and a client cannot name one itself', async () => {
    const { ask } = await start([await startNode('a')])
    expect((await ask('/', forwarded)).body.headers['x-saoma-untrusted']).toBe('127.0.0.1')
    const { body } = await ask('/', { headers: { 'x-saoma-untrusted': '192.0.2.1' } })
    expect(body.headers).not.toHaveProperty('x-saoma-untrusted')
    const trusting = await start([await startNode('a')], { env: { NGINX_TRUST: '127.0.0.1' } })
    expect((await trusting.ask('/', forwarded)).body.headers).not.toHaveProperty('x-saoma-untrusted')
  })

  test('with the PROXY protocol the client’s address comes from it and not from a header', async () => {
    const env = { NGINX_PROXY_PROTOCOL: 'on', NGINX_TRUST: '127.0.0.0/8' }
    const { nginx } = await start([await startNode('a')], { env })
    const said = 'GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n'
    for (const [line, address] of [
      ['PROXY TCP4 203.0.113.9 127.0.0.1 40000 80', '203.0.113.9'],
      ['PROXY TCP6 2001:db8::9 ::1 40000 80', '2001:db8::9'],
    ]) {
      const { body } = await raw(nginx, `${line}\r\n${said}`)
      const { headers } = JSON.parse(body)
      expect(headers).toMatchObject({ 'x-forwarded-for': address, 'x-forwarded-proto': 'http' })
      expect(headers).not.toHaveProperty('x-saoma-untrusted')
    }
  })
})

test('nginx speaks TLS, redirects from HTTP and keeps its configuration if the new is bad', async () => {
  const authority = createAuthority()
  const { certFile, keyFile } = authority.issue(['localhost', '127.0.0.1'])
  const redirect = `127.0.0.1:${await freePort()}`
  const env = { NGINX_TLS_CERT: certFile, NGINX_TLS_KEY: keyFile, NGINX_REDIRECT: redirect }
  const { nginx } = await start([await startNode('a')], { env })
  const ca = await readFile(authority.caFile)
  const ask = async () => {
    const asked = httpsRequest({ host: '127.0.0.1', port: nginx.port, ca }).end()
    const [answer] = await once(asked, 'response')
    let text = ''
    for await (const chunk of answer) text += chunk
    return JSON.parse(text)
  }
  expect((await ask()).headers).toMatchObject({ 'x-forwarded-proto': 'https' })
  const led = await request(`http://${redirect}/v1/x?a=b`)
  expect([led.status, led.headers.get('location')]).toEqual([308, 'https://127.0.0.1/v1/x?a=b'])
  await unlink(certFile)
  const stays = nginx.nextLine(({ text }) => text === 'run.sh: the former configuration stays')
  await nginx.kill('SIGHUP')
  await stays
  expect((await ask()).id).toBe('a')
})

test('nginx listens on IPv6 beside IPv4', async () => {
  const port = await freePort()
  const { nginx } = await start([await startNode('a')], {
    port,
    env: { NGINX_LISTEN: `127.0.0.1:${port} [::1]:${port}` },
  })
  for (const host of ['127.0.0.1', '::1'])
    expect((await answerOf(await send(nginx, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', host))).status).toBe(200)
})

test('QUIT finishes requests under way, and TERM does not wait', async () => {
  let answer = () => {}
  const slow: RequestListener = (_, response) => {
    response.setHeader('content-type', 'application/json')
    answer = () => void response.end('{"id":"late"}')
  }
  const node = await startNode('a', slow)
  const { nginx, ask } = await start([node])
  const asked = ask('/v1/x')
  await until(async () => node.seen.length, Boolean)
  const ended = nginx.kill('SIGQUIT')
  await nginx.nextLine(({ text }) => text.includes('gracefully shutting down'))
  answer()
  expect((await asked).body.id).toBe('late')
  await ended
  expect(await nginx.exited).toEqual({ code: 0, signal: null })

  const other = await start([node])
  const cut = other.ask('/v1/x').catch(() => 'cut')
  await until(
    async () => node.seen.length,
    (seen) => seen === 2,
  )
  await other.nginx.kill('SIGTERM')
  expect(await cut).toBe('cut')
  expect(await other.nginx.exited).toEqual({ code: 0, signal: null })
})

// The shell may hear of the signal and of nginx's end at once.
test('nginx that is ended as soon as it runs ends with 0, and none is left', async () => {
  const node = await startNode('a')
  for (let round = 0; round < 30; round++) {
    const { nginx } = await start([node])
    const master = await nginx.masterPid()
    await nginx.kill('SIGTERM')
    expect(await nginx.exited).toEqual({ code: 0, signal: null })
    expect(() => process.kill(master, 0)).toThrow('ESRCH')
  }
})

/**
 * Stands for an nginx that needs a second before it handles signals, as if it looked up a slow name. It is no
 * shell script: a shell cannot handle a signal that was ignored when it began.
 */
const slowNginx = `#!${process.execPath}
const { rmSync, writeFileSync } = require('node:fs')
const pid = process.env.NGINX_TEMP + '/nginx.pid'
if (process.argv.includes('-v') || process.argv.includes('-V')) {
  console.error('nginx version: nginx/1.22.1')
} else if (!process.argv.includes('-t')) {
  console.error('nginx begins')
  setTimeout(() => {
    for (const signal of ['SIGTERM', 'SIGQUIT'])
      process.on(signal, () => {
        rmSync(pid)
        process.exit(0)
      })
    writeFileSync(pid, String(process.pid))
    setInterval(() => {}, 1_000)
  }, 1_000)
}
`

test.each(['SIGTERM', 'SIGQUIT'] as const)('%s that comes while nginx begins ends it with 0', async (signal) => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-nginx-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'nginx'), slowNginx, { mode: 0o755 })
  const script = await startProcess({
    name: 'nginx/run.sh',
    command: '/bin/sh',
    args: [fileURLToPath(new URL('../../../nginx/run.sh', import.meta.url))],
    env: {
      ...plainEnv(),
      PATH: `${folder}:${process.env.PATH}`,
      SAOMA_NODES: 'a=127.0.0.1:9',
      NGINX_LISTEN: '127.0.0.1:9',
      NGINX_TEMP: folder,
      NGINX_ACCESS_LOG: 'off',
    },
    ready: ({ text }) => text.includes('nginx begins'),
  })
  await script.kill(signal)
  expect(await script.exited).toEqual({ code: 0, signal: null })
})
