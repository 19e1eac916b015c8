import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createSelfSigned, onCleanup } from '@saoma/testing'
import { createApplicationFetch } from '../src/access/application-fetch.ts'
import { createMayCall, isPrivateNetwork } from '../src/access/application-networks.ts'

/* Nodes call what an application has registered, and nothing that only they can reach. */

test.each([
  ...['127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', '0.0.0.0', '255.255.255.255'],
  ...['169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192', '198.18.0.1', '224.0.0.1', '240.0.0.1'],
  ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fd00:ec2::254', 'fc00::1', 'fec0::1', 'ff02::1', '2001:db8::1'],
  // They stand for IPv4 addresses.
  ...['::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::'],
  ...['', 'localhost', 'example.com'],
])('the address %s may not be called', (address) => {
  expect(createMayCall([])(address)).toBe(false)
})

test.each(['1.1.1.1', '8.8.8.8', '2606:4700:4700::1111', '::ffff:8.8.8.8'])(
  'the address %s may be called',
  (address) => {
    expect(createMayCall([])(address)).toBe(true)
  },
)

test('networks that the operator names may be called, and nothing beside them', () => {
  const mayCall = createMayCall(['10.20.0.0/16', 'fd12:3456::/32', '192.168.1.7'])
  for (const address of ['10.20.255.255', '::ffff:10.20.0.1', 'fd12:3456::1', '192.168.1.7', '8.8.8.8'])
    expect([address, mayCall(address)]).toEqual([address, true])
  for (const address of ['10.21.0.0', '::ffff:10.21.0.1', 'fd12:3457::1', '192.168.1.8', '127.0.0.1'])
    expect([address, mayCall(address)]).toEqual([address, false])
})

test('no network opens the addresses at which a cloud tells its secrets', () => {
  const mayCall = createMayCall(['169.254.0.0/16', '100.64.0.0/10', 'fd00::/8', 'fe80::/10'])
  for (const address of ['169.254.169.254', '::ffff:169.254.169.254', '100.100.100.200', 'fd00:ec2::254', 'fe80::1'])
    expect([address, mayCall(address)]).toEqual([address, false])
  expect([mayCall('100.64.0.1'), mayCall('fd00:1::1')]).toEqual([true, true])
})

test('a setting names networks that are no wider than the private ones', () => {
  for (const text of ['10.0.0.0/8', 'fc00::/7', '127.0.0.1', '::1', '172.16.0.0/12', '::ffff:10.0.0.0/104'])
    expect([text, isPrivateNetwork(text)]).toEqual([text, true])
  for (const text of [
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/7',
    '10.0.0.0/33',
    'private',
    '10.1',
    '0x7f000001',
    '',
    '1.2.3.4/',
  ])
    expect([text, isPrivateNetwork(text)]).toEqual([text, false])
})

const serve = async (listener: RequestListener) => {
  const asked: string[] = []
  const server = createServer((req, res) => {
    asked.push(req.url ?? '')
    listener(req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, port: (server.address() as AddressInfo).port }
}

const here = createMayCall(['127.0.0.1'])
/** The code, or else the name, with which a call fails. */
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => 'it was answered',
    (error: Error & { code?: unknown }) => (typeof error.code === 'string' ? error.code : error.name),
  )

test('it posts a form and gives the answer back, like fetch', async () => {
  let got = ''
  const { port } = await serve(async (req, res) => {
    for await (const chunk of req) got += chunk
    res.writeHead(202, { 'x-one': 'two' }).end('done')
  })
  const answer = await createApplicationFetch({ mayCall: here })(`http://127.0.0.1:${port}/a?b=c`, {
    method: 'POST',
    body: new URLSearchParams({ a: 'b c' }),
  })
  expect([got, answer.status, answer.headers.get('x-one'), await answer.text()]).toEqual(['a=b+c', 202, 'two', 'done'])
})

test('an address in the URL is refused before anything is sent, however it is written', async () => {
  const { asked, port } = await serve((_, res) => res.end())
  const call = createApplicationFetch({ mayCall: createMayCall([]) })
  for (const host of ['127.0.0.1', '127.1', '0x7f000001', '2130706433', '[::1]', '[::ffff:127.0.0.1]', 'localhost'])
    expect([host, await failureOf(call(`http://${host}:${port}/`))]).toEqual([host, 'ADDRESS_REFUSED'])
  expect(await failureOf(call('file:///etc/passwd'))).toBe('ADDRESS_REFUSED')
  expect(asked).toEqual([])
})

test('a name is looked up once, and only what may be called of its addresses is called', async () => {
  const { asked, port } = await serve((_, res) => res.end('here'))
  const answers = [['127.0.0.1'], ['127.0.0.2']]
  let lookups = 0
  const call = createApplicationFetch({
    // The first answer is fine, and every later one leads elsewhere: DNS rebinding.
    mayCall: here,
    lookup: (_name, _options, done) =>
      done(
        null,
        (answers[Math.min(lookups++, 1)] ?? []).map((address) => ({ address, family: 4 })),
      ),
  })
  expect(await (await call(`http://app.example.com:${port}/`)).text()).toBe('here')
  expect(lookups).toBe(1)
  expect(await failureOf(call(`http://app.example.com:${port}/`))).toBe('ADDRESS_REFUSED')
  const mixed = createApplicationFetch({
    mayCall: here,
    lookup: (_name, _options, done) =>
      done(
        null,
        ['169.254.169.254', '127.0.0.1'].map((address) => ({ address, family: 4 })),
      ),
  })
  expect((await mixed(`http://app.example.com:${port}/`)).status).toBe(200)
  expect(asked).toHaveLength(2)
})

test('a redirect is an answer, and nobody follows it', async () => {
  const inner = await serve((_, res) => res.end('secret'))
  const outer = await serve((_, res) => res.writeHead(302, { location: `http://127.0.0.1:${inner.port}/` }).end())
  const answer = await createApplicationFetch({ mayCall: here })(`http://127.0.0.1:${outer.port}/`)
  expect([answer.status, inner.asked]).toEqual([302, []])
})

test('a certificate that nobody trusts is no answer', async () => {
  const { certFile, keyFile } = createSelfSigned(['127.0.0.1'])
  const server = createSecureServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (_, res) => res.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => void server.close())
  const { port } = server.address() as AddressInfo
  const call = createApplicationFetch({ mayCall: here })
  expect(await failureOf(call(`https://127.0.0.1:${port}/`))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
})

test('an answer that is too long or does not end is given up', async () => {
  const long = await serve((_, res) => {
    const write = () => void (res.write('x'.repeat(16_384)) ? setImmediate(write) : res.once('drain', write))
    write()
  })
  const silent = await serve(() => {})
  const slow = await serve((_, res) => void res.write('a'))
  const call = createApplicationFetch({ mayCall: here, timeoutMs: 300 })
  expect(await failureOf(call(`http://127.0.0.1:${long.port}/`))).toBe('RangeError')
  expect(await failureOf(call(`http://127.0.0.1:${silent.port}/`))).toBe('TimeoutError')
  expect(await failureOf(call(`http://127.0.0.1:${slow.port}/`))).toBe('TimeoutError')
  const gone = AbortSignal.abort(new Error('enough'))
  expect(await failureOf(call(`http://127.0.0.1:${silent.port}/`, { signal: gone }))).toBe('Error')
})
