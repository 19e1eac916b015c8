import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, Socket as TcpSocket } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { Server, type Socket } from 'socket.io'
import { io as connect } from 'socket.io-client'
import { Decoder } from 'socket.io-parser'
import WebSocket from 'ws'
import { DirectEngine } from '../src/transport/socket/direct-web-socket.ts'
import {
  bufferedBytes,
  cutOff,
  type EngineConnection,
  engineOf,
  forgetHandshake,
  forgetRequest,
  isOpen,
  namespacesOf,
  queuedBytes,
  reviveWith,
  tcpOf,
  tellOldClients,
  webSocketOf,
  writeFrames,
} from '../src/transport/socket/engine.ts'
import { createEngineDoor } from '../src/transport/socket/engine-door.ts'
import { textFrame } from '../src/transport/socket/frame.ts'

/**
 * What is relied on and not promised by Socket.IO, Engine.IO and ws, one name a test. A test that fails here
 * after an update says what the new version has changed, and `engine.ts` is the one place to mend.
 */
const io = new Server({ transports: ['websocket', 'polling'] })
io.bind(new DirectEngine())
const door = createEngineDoor(io)
const http = createServer(door.before((_, res) => res.end()))
http.on('upgrade', door.enter)
await once(http.listen(0, '127.0.0.1'), 'listening')
const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
onCleanup(async () => {
  await io.close()
  http.close()
  http.closeAllConnections()
})

/** A client, and the two ends that the server has of it. */
const enter = async (transport: 'websocket' | 'polling') => {
  const entered = once(io, 'connection') as Promise<[Socket]>
  const client = connect(origin, { transports: [transport], forceNew: true, reconnection: false })
  onCleanup(() => client.close())
  const [[socket]] = await Promise.all([entered, once(client as never, 'connect')])
  return { client, socket, connection: engineOf(socket.conn) }
}

// They are id, readyState, remoteAddress, transport.name, transport.writable and request.
test('an engine.io Socket has the fields that the gateway reads', async () => {
  const { connection } = await enter('websocket')
  expect(connection).toMatchObject({
    id: expect.stringMatching(/^[\w-]{20}$/),
    readyState: 'open',
    remoteAddress: '127.0.0.1',
    transport: { name: 'websocket', writable: true },
  })
  expect(isOpen(connection)).toBe(true)
  expect(connection.request).toMatchObject({ method: 'GET', headers: { upgrade: 'websocket' } })
  forgetRequest(connection, () => '192.0.2.7')
  expect([connection.request, connection.remoteAddress]).toEqual([null, '192.0.2.7'])
})

// That one has its TCP connection in _socket.
test('the engine.io WebSocket transport has the WebSocket of ws as its socket', async () => {
  const { connection } = await enter('websocket')
  expect(webSocketOf(connection)).toMatchObject({ readyState: WebSocket.OPEN, bufferedAmount: 0 })
  expect(tcpOf(connection)).toBeInstanceOf(TcpSocket)
  expect(bufferedBytes(connection)).toBe(0)
  const { connection: polling } = await enter('polling')
  expect([webSocketOf(polling), tcpOf(polling), bufferedBytes(polling)]).toEqual([undefined, undefined, 0])
})

test('writeBuffer of an engine.io Socket holds the waiting packets with their data', async () => {
  const { connection } = await enter('polling')
  // The client's poll takes the first; until it asks again the rest waits.
  for (const text of ['2["a"]', '2["b"]', '2["c"]']) connection.write(text)
  expect(queuedBytes(connection)).toBeGreaterThan(0)
  expect(connection.writeBuffer.every(({ data }) => typeof data === 'string')).toBe(true)
})

test('engine.io hands the options of a packet to its transport', async () => {
  const { client, connection } = await enter('websocket')
  const heard = new Promise((resolve) => client.once('hello', resolve))
  writeFrames(connection, '2["never said"]', textFrame('42["hello","as it is"]'))
  expect(await heard).toBe('as it is')
})

test('an engine.io Socket emits packet before Socket.IO hears of the packet', async () => {
  const { client, socket, connection } = await enter('websocket')
  const order: string[] = []
  connection.on('packet', ({ type, data }) => order.push(`${type} ${data}`))
  const heard = new Promise<void>((resolve) => {
    socket.on('hello', () => {
      order.push('hello')
      resolve()
    })
  })
  client.emit('hello')
  await heard
  expect(order).toEqual(['message 2["hello"]', 'hello'])
})

test('engine.io close(true) and ws terminate() end a connection at once', async () => {
  const { client, connection } = await enter('websocket')
  const gone = once(client as never, 'disconnect')
  cutOff(connection as EngineConnection)
  await gone
  expect(isOpen(connection)).toBe(false)
})

test('handshake is a field of a socket.io Socket that nothing reads later', async () => {
  const { client, socket } = await enter('websocket')
  forgetHandshake(socket)
  expect(socket.handshake).toEqual({})
  const answered = new Promise(
    (resolve) =>
      socket.on('question', (ack: (answer: string) => void) => ack('answer')) && client.emit('question', resolve),
  )
  expect(await answered).toBe('answer')
})

test('sockets of a socket.io Client are those of all namespaces', async () => {
  io.of('/other')
  const { client, socket } = await enter('websocket')
  expect(namespacesOf(socket)).toBe(1)
  const other = client.io.socket('/other')
  await once(other as never, 'connect')
  expect(namespacesOf(socket)).toBe(2)
  other.disconnect()
  client.disconnect()
})

// That message is for a client of another protocol.
test('an engine.io Server has handleRequest, handleUpgrade and errorMessages[5]', async () => {
  tellOldClients(io, 'too old')
  const answer = await fetch(`${origin}/socket.io/?EIO=3&transport=polling`)
  expect([answer.status, await answer.json()]).toEqual([400, { code: 5, message: 'too old' }])
})

test('opts.reviver of a socket.io-parser Decoder reads the JSON of the next packet', () => {
  const decoder = new Decoder()
  const packets: unknown[] = []
  decoder.on('decoded', ({ data }) => packets.push(data))
  reviveWith(decoder, (_, value) => (value === 1 ? 'one' : value))
  decoder.add('2["n",1]')
  reviveWith(decoder, undefined)
  decoder.add('2["n",1]')
  expect(packets).toEqual([
    ['n', 'one'],
    ['n', 1],
  ])
})
