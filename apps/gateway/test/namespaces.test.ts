import { once } from 'node:events'
import { LOGIN_ONLY } from '@saoma/protocol'
import {
  closeOf,
  type Gateway,
  metricOf,
  onCleanup,
  request,
  startGateway,
  startRedis,
  testApiKey,
} from '@saoma/testing'
import { io } from 'socket.io-client'
import WebSocket from 'ws'

/** A client that asks for a namespace that is not there is told so, and may stay. */
let gateway: Gateway

beforeAll(async () => {
  const redis = await startRedis()
  gateway = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://127.0.0.1' })
})

interface Client {
  say(packet: string): void
  /** The next packet but Engine.IO's own. */
  next(): Promise<string>
  closed: Promise<unknown>
}

const overWebSocket = async (query: Readonly<Record<string, string>>): Promise<Client> => {
  const parameters = new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/socket.io/?${parameters}`)
  onCleanup(() => socket.terminate())
  socket.on('error', () => {})
  const heard: string[] = []
  let wake = () => {}
  socket.on('message', (data: Buffer) => {
    if (data.toString().startsWith('4')) heard.push(data.toString())
    wake()
  })
  const closed = closeOf(socket)
  void closed.then(() => wake())
  await once(socket, 'open')
  return {
    say: (packet) => socket.send(packet),
    next: async () => {
      while (heard.length === 0 && socket.readyState === WebSocket.OPEN)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      return heard.shift() ?? 'closed'
    },
    closed,
  }
}

const overPolling = async (): Promise<Client> => {
  const url = `${gateway.origin}/socket.io/?EIO=4&transport=polling`
  const opened = await request<string>(url)
  const session = `${url}&sid=${JSON.parse(opened.body.slice(1)).sid}`
  const heard: string[] = []
  let saying: Promise<unknown> = Promise.resolve()
  let end = (_: unknown) => {}
  const closed = new Promise((resolve) => {
    end = resolve
  })
  return {
    say: (packet) => {
      // Cut off, it is answered 400, or not at all.
      saying = saying.then(() => fetch(session, { method: 'POST', body: packet })).then(({ ok }) => ok || end(ok), end)
    },
    next: async () => {
      await saying
      while (heard.length === 0) {
        const { status, body } = await request<string>(session)
        if (status !== 200) return 'closed'
        heard.push(...body.split('\x1e').filter((packet) => packet.startsWith('4')))
      }
      return heard.shift() ?? ''
    },
    closed,
  }
}

const doors = [
  ['a WebSocket', () => overWebSocket({})],
  ['a WebSocket that only waits', () => overWebSocket(LOGIN_ONLY)],
  ['polling', overPolling],
] as const
const strange = [
  '/nowhere',
  '/nowhere?token=x',
  '/login?token=x',
  '/login/',
  '/admin',
  '//',
  `/${'x'.repeat(5_000)}`,
  '/中文?a=b&c',
]

const invalid = (name: string) => `44${name},{"message":"Invalid namespace"}`
const watch = '42/login,1["watch",{"deviceCode":7}]'

describe.each(doors)('%s', (_, open) => {
  // With or without a query.
  test('an unknown namespace is refused by its name, and the connection stays', async () => {
    const client = await open()
    for (const name of strange) {
      client.say(`40${name},`)
      expect(await client.next()).toBe(invalid(name))
    }
    client.say('40/login,{}')
    expect(await client.next()).toMatch(/^40\/login,\{"sid":"/)
    for (const name of strange) {
      client.say(`40${name},{"token":"x"}`)
      expect(await client.next()).toBe(invalid(name))
    }
    client.say(watch)
    expect(await client.next()).toMatch(/^43\/login,1\[\{"ok":false,"code":"INVALID"/)
  })

  test('a client that asks for namespaces without end is cut off', async () => {
    const cut = () => metricOf(gateway, 'saoma_connections_cut_total{reason="flood"}')
    const before = await cut()
    const client = await open()
    for (let i = 0; i < 150; i++) client.say(`40/nowhere-${i},`)
    await client.closed
    expect(await cut()).toBe(before + 1)
  })
})

test('the root is refused in the same way to a client that only waits', async () => {
  const client = await overWebSocket(LOGIN_ONLY)
  client.say('40')
  expect(await client.next()).toBe('44{"message":"Invalid namespace"}')
  client.say('40/login,')
  expect(await client.next()).toMatch(/^40\/login,/)
})

test.each([
  ['websocket', {}],
  ['websocket', LOGIN_ONLY],
  ['polling', {}],
] as const)('Socket.IO’s own client hears of it over %s %j, and does not dial again', async (transport, query) => {
  const strange = io(`${gateway.origin}/nowhere`, { transports: [transport], query: { ...query }, forceNew: true })
  const dialled: unknown[] = []
  strange.io.on('reconnect_attempt', () => dialled.push(1))
  const told = new Promise<Error>((resolve) => strange.once('connect_error', resolve))
  expect((await told).message).toBe('Invalid namespace')
  expect(strange.active).toBe(false)
  // Another namespace of the same connection.
  const login = strange.io.socket('/login')
  const connected = new Promise<void>((resolve) => login.once('connect', resolve))
  onCleanup(() => login.disconnect())
  login.connect()
  await connected
  expect(dialled).toEqual([])
  // The last one of its connection: with it goes the connection.
  login.disconnect()
})

test('a backend that asks for an unknown namespace keeps its connection', async () => {
  const client = await overWebSocket({})
  client.say(`40${JSON.stringify({ token: testApiKey })}`)
  expect(await client.next()).toMatch(/^40\{"sid":"/)
  client.say('40/nowhere,')
  expect(await client.next()).toBe(invalid('/nowhere'))
  client.say('421["presence",{"channel":"room:open-x"}]')
  expect(await client.next()).toMatch(/^431\[\{"ok":true/)
})
