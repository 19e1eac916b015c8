import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request as httpRequest, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, onCleanup } from '@saoma/testing'
import { start, startNode } from './small-node.ts'

const times = <T>(count: number, act: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => act(i)))

test('a polling session goes to the node that its id begins with', async () => {
  const { ask } = await start([await startNode('a'), await startNode('ab')])
  for (const id of ['a', 'ab']) {
    const answers = await times(20, (i) => ask(`/socket.io/?EIO=4&transport=polling&sid=${id}-session${i}`))
    expect(new Set(answers.map(({ body }) => body.id))).toEqual(new Set([id]))
  }
})

test('requests without a session or with one of a missing node are spread', async () => {
  const { ask } = await start([await startNode('a'), await startNode('b')])
  for (const path of ['/socket.io/?EIO=4', '/socket.io/?EIO=4&sid=z-session', '/v1/tickets/x?sid=a-session', '/']) {
    const answers = await times(20, () => ask(path))
    expect(new Set(answers.map(({ body }) => body.id))).toEqual(new Set(['a', 'b']))
  }
})

test('an upgrade passes through', async () => {
  const node = await startNode('a')
  const { nginx } = await start([node])
  const upgrade = httpRequest(`${nginx.origin}/socket.io/?EIO=4&transport=websocket`, {
    headers: { connection: 'Upgrade', upgrade: 'websocket' },
  })
  upgrade.end()
  const [answer, socket, head] = await once(upgrade, 'upgrade')
  expect(answer.statusCode).toBe(101)
  let text = String(head)
  for await (const chunk of socket) text += chunk
  expect(text).toBe('hello from a')
  expect(node.seen[0]?.headers).toMatchObject({ connection: 'upgrade', upgrade: 'websocket' })
})

test('while a node does not listen, the other answers everything', async () => {
  const dead = { id: 'a', port: await freePort() }
  const { ask } = await start([dead, await startNode('b')])
  const gets = await times(20, () => ask('/v1/x'))
  const posts = await times(20, () => ask('/v1/x', { method: 'POST' }))
  expect([...gets, ...posts].map(({ body }) => body.id)).toEqual(Array.from({ length: 40 }, () => 'b'))
})

test('when a node dies during a request, a GET is repeated elsewhere and a POST never', async () => {
  const dying: RequestListener = (incoming) => incoming.socket.destroy()
  const nodes = [await startNode('a', dying), await startNode('b', dying)]
  const reached = () => nodes.reduce((sum, { seen }) => sum + seen.length, 0)
  const { ask } = await start(nodes)

  const post = await ask('/v1/tickets/x/confirm', { method: 'POST' })
  expect(post.status).toBe(502)
  expect(post.headers.get('content-type')).toBe('application/problem+json')
  expect(post.headers.get('retry-after')).toBe('1')
  expect(post.body).toMatchObject({ code: 'INTERNAL', react: 'retry' })
  expect(reached()).toBe(1)

  expect((await ask('/v1/tickets/x')).status).toBe(502)
  expect(reached()).toBe(3)
})

test('a session of a dead node fails at once, so that the client starts another', async () => {
  const { ask } = await start([{ id: 'a', port: await freePort() }, await startNode('b')])
  expect((await ask('/socket.io/?EIO=4&sid=a-session')).status).toBe(502)
})

test('a handshake that a draining node refuses goes to another', async () => {
  const { ask } = await start([
    await startNode('a', (_, response) => response.writeHead(503, { 'retry-after': '1' }).end()),
    await startNode('b'),
  ])
  const answers = await times(20, () => ask('/socket.io/?EIO=4&transport=polling'))
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`))).toEqual(new Set(['200 b']))
})

test('a stranger’s statements about itself are replaced', async () => {
  const { ask } = await start([await startNode('a')])
  const { body } = await ask('/', {
    headers: {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=203.0.113.9',
      'x-real-ip': '203.0.113.9',
    },
  })
  expect(body.headers).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': body.headers.host,
    'x-real-ip': '127.0.0.1',
  })
  expect(body.headers).not.toHaveProperty('forwarded')
})

test('a trusted proxy is believed up to the first address it does not vouch for', async () => {
  const { ask } = await start([await startNode('a')], { env: { NGINX_TRUST: '127.0.0.0/8 10.0.0.0/8' } })
  const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9, 10.1.2.3', 'x-forwarded-proto': 'https' }
  const { body } = await ask('/', { headers })
  expect(body.headers).toMatchObject({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' })
})

test('a well-formed request id is kept and returned; any other is replaced', async () => {
  const { ask } = await start([await startNode('a')])
  const kept = await ask('/', { headers: { 'x-request-id': 'request-0001' } })
  expect([kept.headers.get('x-request-id'), kept.body.headers['x-request-id']]).toEqual([
    'request-0001',
    'request-0001',
  ])
  for (const bad of ['short', 'a'.repeat(65), 'with space in it', '{"a":"bbbbbbb"}']) {
    const answer = await ask('/', { headers: { 'x-request-id': bad } })
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(answer.body.headers['x-request-id']).toBe(answer.headers.get('x-request-id'))
  }
})

test('a body above 64 KB is refused with a problem that hides the version of nginx', async () => {
  const node = await startNode('a')
  const { ask } = await start([node])
  const answer = await ask('/v1/x', { form: { text: 'x'.repeat(65 * 1024) } })
  expect(answer.status).toBe(413)
  expect(answer.body).toMatchObject({ code: 'TOO_LARGE', react: 'stop' })
  expect(answer.headers.get('server')).toBe('nginx')
  expect(node.seen).toHaveLength(0)
})

test('a stream arrives piece by piece', async () => {
  const opened: (() => void)[] = []
  const streaming: RequestListener = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: first\n\n')
    opened.push(() => response.end('data: second\n\n'))
  }
  const { nginx } = await start([await startNode('a', streaming)])
  const response = await fetch(`${nginx.origin}/v1/tickets/x`)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader?.read())?.value).toBe('data: first\n\n')
  for (const end of opened) end()
  expect((await reader?.read())?.value).toBe('data: second\n\n')
})

test('the access log is JSON without queries', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'saoma-log-'))
  onCleanup(() => rm(dir, { recursive: true }))
  const accessLog = join(dir, 'access.log')
  const { nginx, ask } = await start([await startNode('a')], { accessLog })
  await ask('/v1/tickets/abc?token=secret', { headers: { 'x-request-id': 'request-0002' } })
  await nginx.stop()
  const lines = (await readFile(accessLog, 'utf8')).trim().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { method: 'GET', path: '/v1/tickets/abc', status: 200, request: 'request-0002', ip: '127.0.0.1' },
  ])
  expect(lines.join()).not.toContain('secret')
})
