import {
  type Cluster,
  confirm,
  connectLive,
  connectLogin,
  createTicket,
  type Gateway,
  metricOf,
  onCleanup,
  phoneToken,
  publish,
  redeem,
  scan,
  startCluster,
  startGateway,
  startRedis,
  until,
} from '@saoma/testing'
import { hash } from 'bcryptjs'
import { Manager, type Socket } from 'socket.io-client'

const password = 'a password of tests'
const auth = { username: 'root', password }

let cluster: Cluster
let a: Gateway
let b: Gateway

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { SAOMA_ADMIN_UI: `root:${await hash(password, 10)}` } })
  ;[a, b] = cluster.nodes as [Gateway, Gateway]
})

/** What the page of the admin UI has: a socket, which has not begun to connect. */
const adminOf = (origin: string, credentials: Credentials, manager = managerOf(origin)): Socket =>
  manager.socket('/admin', { auth: credentials })

interface Credentials {
  [field: string]: unknown
}

const managerOf = (origin: string): Manager => {
  const manager = new Manager(origin, { transports: ['websocket'], reconnection: false, autoConnect: false })
  onCleanup(() => manager._close())
  return manager
}

/** Connects; resolves with why not, or with nothing. */
const enter = (socket: Socket): Promise<string | undefined> =>
  new Promise((resolve) => {
    socket.once('connect', () => resolve(undefined))
    socket.once('connect_error', ({ message }) => resolve(message))
    // A client that is refused ends its connection before it says so.
    socket.io.once('close', (reason) => setImmediate(resolve, reason))
    socket.connect()
  })

interface Stats {
  serverId: string
  clientsCount: number
  namespaces: { name: string; socketsCount: number }[]
}

test('an admin sees every node, may change nothing, and nothing of what people do', async () => {
  const admin = adminOf(a.origin, auth)
  const heard: unknown[] = []
  const stats = new Map<string, Stats>()
  admin.onAny((...args) => heard.push(args))
  admin.on('server_stats', (one: Stats) => stats.set(one.serverId, one))
  const config = new Promise((resolve) => admin.once('config', resolve))
  expect(await enter(admin)).toBeUndefined()
  expect(await config).toEqual({ supportedFeatures: ['AGGREGATED_EVENTS'] })

  // Through Redis: the other node's come from there.
  const { device_code: deviceCode, ticket } = await createTicket(b.origin)
  // One that came by Socket.IO: the door for those who only wait is not Socket.IO's.
  const browser = connectLogin(b.origin, { query: {} })
  await browser.watch(deviceCode)
  await until(
    async () => stats.get('b')?.namespaces,
    (namespaces) => namespaces?.some(({ name, socketsCount }) => name === '/login' && socketsCount === 1) ?? false,
  )
  await until(
    async () => stats.get('a')?.namespaces,
    (namespaces) => namespaces?.some(({ name, socketsCount }) => name === '/admin' && socketsCount === 1) ?? false,
  )

  // What an admin who may change things would end everybody's login with, or pretend one.
  admin.emit('emit', '/login', undefined, 'ticket', { ticket, status: 'rejected', version: 9, expiresIn: 0 })
  admin.emit('_disconnect', '/login', true)
  const alice = await phoneToken(a.origin, 'alice')
  await scan(a.origin, ticket, alice)
  expect(await browser.next('ticket')).toMatchObject({ status: 'scanned' })
  await confirm(a.origin, ticket, alice)
  expect(await browser.next('ticket')).toMatchObject({ status: 'confirmed' })
  const token = (await redeem(b.origin, deviceCode)).body.access_token
  const page = connectLive(a.origin, { token })
  expect(await page.subscribe({ channel: 'room:open-1' })).toMatchObject({ ok: true })
  await publish(b.origin, { channel: 'room:open-1', event: 'secret-event', data: 'secret-data' })
  expect(await page.next('message')).toMatchObject({ data: 'secret-data' })

  const seen = stats.get('a')
  await until(
    async () => stats.get('a'),
    (now) => now !== seen,
  )
  for (const secret of [ticket, deviceCode, token, alice, 'secret-event', 'secret-data'])
    expect([secret, JSON.stringify(heard).includes(secret)]).toEqual([secret, false])
  browser.close()
  page.close()
  admin.close()
})

test('a wrong password, another name, no password and one that is no text are refused; the same connection may try again', async () => {
  const wrong = [{}, { ...auth, password: 'another' }, { ...auth, username: 'admin' }, { ...auth, password: { a: 1 } }]
  for (const credentials of wrong) {
    // Something else keeps the connection.
    const manager = managerOf(b.origin)
    const login = manager.socket('/login')
    expect(await enter(login)).toBeUndefined()
    const admin = adminOf(b.origin, credentials, manager)
    expect(await enter(admin)).toBe('invalid credentials')
    admin.auth = auth
    expect(await enter(admin)).toBeUndefined()
    expect(login.connected).toBe(true)
    admin.close()
    login.close()
  }
  expect(await metricOf(b, 'saoma_handshake_rejected_total{reason="admin"}')).toBe(wrong.length)
})

test('whoever knows the name has ten tries a minute on a node, and costs it nothing after that', async () => {
  const answers: (string | undefined)[] = []
  for (let i = 0; i < 20; i++) {
    const admin = adminOf(b.origin, { ...auth, password: `guess ${i}` })
    answers.push(await enter(admin))
    admin.close()
  }
  const looked = answers.filter((answer) => answer === 'invalid credentials').length
  expect(looked).toBeLessThanOrEqual(10)
  expect(answers.filter((answer) => answer === 'RATE_LIMITED')).toHaveLength(20 - looked)
  // Not on the other, and logins go on.
  expect(await enter(adminOf(a.origin, auth))).toBeUndefined()
  await createTicket(b.origin)
})

test('a node without the setting has no such namespace', async () => {
  const redis = await startRedis()
  const node = await startGateway({ redisUrl: redis.url, nodeId: 'c', origin: 'http://127.0.0.1' })
  expect(await enter(adminOf(node.origin, auth))).toBe('Invalid namespace')
})
