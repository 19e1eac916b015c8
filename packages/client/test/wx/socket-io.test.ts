import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Cluster,
  connectLive,
  createWx,
  type LiveClient,
  onCleanup,
  startCluster,
  type WxPhone,
  webToken,
} from '@saoma/testing'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { createWxTransport } from '../../src/wx/index.ts'
import { holderOf } from '../browser.ts'

let cluster: Cluster
let token: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  token = (await webToken(cluster.origin, 'Li Lei')).access_token
})

/** Socket.IO's own client in a mini-program, which comes back by itself. */
const connect = (phone: WxPhone, options = {}): LiveClient => {
  const transport = createWxTransport(phone.wx, { now: phone.now })
  return connectLive(cluster.origin, { token, transports: [transport], ...options })
}

test('through nginx it connects and exchanges events, acks and broadcasts', async () => {
  const [one, two] = [connect(createWx()), connect(createWx())]
  await Promise.all([one.next('connect'), two.next('connect')])
  expect(await one.subscribe({ channel: 'room:open-wx' })).toMatchObject({ ok: true, offset: 0 })
  expect(await two.publish({ channel: 'room:open-wx', event: 'said', data: '扫码' })).toMatchObject({
    ok: true,
    offset: 1,
  })
  expect(await one.next('message')).toMatchObject({ event: 'said', data: '扫码', offset: 1 })
  expect(await two.presence({ channel: 'room:open-wx' })).toMatchObject({ ok: true, count: 1, connections: 1 })
  expect(await one.subscribe({ channel: 'room:nobody' })).toMatchObject({ ok: false, code: 'FORBIDDEN' })
  for (const client of [one, two]) client.close()
})

test('it connects to another node when its own is killed', async () => {
  const client = connect(createWx())
  await client.next('connect')
  const node = await holderOf(cluster)
  await node.kill('SIGKILL')
  await client.next('disconnect')
  await client.next('connect')
  expect(await client.subscribe({ channel: 'room:open-wx-killed' })).toMatchObject({ ok: true })
  expect((await holderOf(cluster)).id).not.toBe(node.id)
  client.close()
  await node.restart()
})

test('30 s in the background cost the connection; a shorter stay does not', async () => {
  const phone = createWx()
  const client = connect(phone)
  await client.next('connect')
  const { id } = client.socket
  phone.background(4_000)
  phone.foreground()
  expect(await client.subscribe({ channel: 'room:open-wx-away' })).toMatchObject({ ok: true })
  expect(client.socket.id).toBe(id)

  phone.background(30_000)
  const other = connect(createWx())
  await other.next('connect')
  let present = 1
  while (present > 0) {
    const answer = await other.presence({ channel: 'room:open-wx-away' })
    present = answer.ok ? answer.connections : present
  }
  // WeChat has cut it and told nobody here.
  expect(client.socket.connected).toBe(true)
  phone.foreground()
  expect(await client.next('disconnect')).toBe('transport close')
  await client.next('connect')
  expect(await client.subscribe({ channel: 'room:open-wx-away' })).toMatchObject({ ok: true })
  expect(phone.sockets).toBe(1)
  for (const each of [client, other]) each.close()
})

test('an end that WeChat does not report is noticed at the next message', async () => {
  const phone = createWx()
  const client = connect(phone)
  await client.next('connect')
  phone.cutSockets({ told: false })
  const answer = client.subscribe({ channel: 'room:open-wx-untold' }).catch(() => 'unanswered')
  expect(await client.next('disconnect')).toBe('transport error')
  await client.next('connect')
  expect(await answer).toBe('unanswered')
  expect(phone.sockets).toBe(1)
  client.close()
})

test('it disconnects without a network and reconnects with one', async () => {
  const phone = createWx()
  const client = connect(phone)
  await client.next('connect')
  phone.offline()
  await client.next('disconnect')
  await client.next('connect_error')
  expect(client.socket.connected).toBe(false)
  phone.online()
  await client.next('connect')
  expect(client.socket.connected).toBe(true)
  client.close()
})

test('five connections open at once; a sixth is refused until one ends', async () => {
  const phone = createWx()
  const clients = Array.from({ length: 5 }, () => connect(phone))
  await Promise.all(clients.map((client) => client.next('connect')))
  const sixth = connect(phone)
  expect(await sixth.next('connect_error')).toMatchObject({ message: 'websocket error' })
  clients[0]?.close()
  await sixth.next('connect')
  for (const client of [...clients, sixth]) client.close()
})

test('bytes pass both ways, inside other data and in acks', async () => {
  const http = createServer()
  const server = new Server(http, { transports: ['websocket'] })
  onCleanup(() => server.close())
  server.on('connection', (socket) => {
    socket.on('turn', (bytes: Buffer, note: string, ack: (answer: object) => void) => {
      socket.emit('turned', { bytes: Buffer.from(bytes).reverse(), note })
      ack({ size: Buffer.from([bytes.length]) })
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const socket = io(`http://127.0.0.1:${port}`, { transports: [createWxTransport(createWx().wx)], forceNew: true })
  onCleanup(() => socket.close())
  const turned = new Promise<{ bytes: Uint8Array; note: string }>((resolve) => socket.on('turned', resolve))
  const answer = await socket.timeout(5_000).emitWithAck('turn', Uint8Array.of(9, 1, 2, 3).subarray(1), '扫码')
  expect([...new Uint8Array(answer.size)]).toEqual([3])
  const { bytes, note } = await turned
  expect({ bytes: [...new Uint8Array(bytes)], note }).toEqual({ bytes: [3, 2, 1], note: '扫码' })
})
