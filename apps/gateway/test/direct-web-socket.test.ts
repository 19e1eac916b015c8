import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { Server } from 'socket.io'
import { WebSocket } from 'ws'
import { DirectEngine, directOf } from '../src/transport/socket/direct-web-socket.ts'
import { type EngineConnection, engineOf, isOpen, tcpOf, writeFrames } from '../src/transport/socket/engine.ts'
import { createEngineDoor } from '../src/transport/socket/engine-door.ts'
import { textFrame } from '../src/transport/socket/frame.ts'
import { stallAndEnd } from './stall-and-end.ts'

const io = new Server({ transports: ['websocket'] })
io.bind(new DirectEngine({ maxHttpBufferSize: 10_000_000 }))
const door = createEngineDoor(io)
const http = createServer(door.before((_, res) => res.end()))
http.on('upgrade', door.enter)
await once(http.listen(0, '127.0.0.1'), 'listening')
const { port } = http.address() as AddressInfo
onCleanup(async () => {
  await io.close()
  http.close()
  http.closeAllConnections()
})

/** A client that speaks Engine.IO by hand, and the server's end of its connection. */
const enter = async () => {
  const entered = once(io.engine, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`)
  onCleanup(() => client.terminate())
  const heard: (string | Buffer)[] = []
  let wake = () => {}
  client.on('message', (data: Buffer, isBinary) => {
    heard.push(isBinary ? data : data.toString())
    wake()
  })
  const [connection] = (await entered) as [object]
  const hear = async (count: number): Promise<(string | Buffer)[]> => {
    while (heard.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    return heard
  }
  // The handshake.
  await hear(1)
  heard.pop()
  return { client, connection: engineOf(connection), hear }
}

/** Counts the writes to the TCP connection. */
const countWrites = (connection: EngineConnection) => {
  const tcp = tcpOf(connection)
  if (!tcp) throw new Error('it has no TCP connection')
  const write = tcp.write.bind(tcp) as (...args: unknown[]) => boolean
  const counted = { writes: 0 }
  Object.assign(tcp, {
    write: (...args: unknown[]) => {
      counted.writes++
      return write(...args)
    },
  })
  return counted
}

test('packets of one turn leave in one write, in their order', async () => {
  const { connection, hear } = await enter()
  const counted = countWrites(connection)
  for (const text of ['a', 'b', 'c']) connection.write(text)
  expect(counted.writes).toBe(0)
  expect(await hear(3)).toEqual(['4a', '4b', '4c'])
  expect(counted.writes).toBe(1)
  expect(connection.writeBuffer).toEqual([])
})

test.each([0, 1, 123, 124, 125, 126, 65_533, 65_534, 65_535, 65_536, 200_000])(
  'a text of %i characters arrives as it was sent',
  async (length) => {
    const { connection, hear } = await enter()
    const texts = ['x', 'é', '码', '😀'].map((character) => character.repeat(length).slice(0, length))
    // Half of a pair cannot be encoded.
    const whole = texts.map((text) => text.replace(/[\ud800-\udbff]$/, '-'))
    for (const text of whole) connection.write(text)
    expect(await hear(whole.length)).toEqual(whole.map((text) => `4${text}`))
  },
)

test('texts, bytes and complete frames keep their order', async () => {
  const { connection, hear } = await enter()
  connection.write('a')
  connection.write(Buffer.from([1, 2]) as never)
  connection.write('é')
  writeFrames(connection, 'never said', Buffer.concat([textFrame('4b'), textFrame('4c')]))
  connection.write('d')
  directOf(connection)?.flush()
  connection.write('e')
  expect(await hear(7)).toEqual(['4a', Buffer.from([1, 2]), '4é', '4b', '4c', '4d', '4e'])
})

test('what was sent before a close arrives before it', async () => {
  const { client, connection, hear } = await enter()
  const closed = once(client, 'close')
  connection.write('the last')
  connection.close()
  await closed
  expect(await hear(1)).toEqual(['4the last'])
})

test('what is sent to a connection that is closing is dropped', async () => {
  const { client, connection, hear } = await enter()
  const closed = once(client, 'close')
  connection.write('in time')
  directOf(connection)?.flush()
  directOf(connection)?.send([{ type: 'close' }])
  client.close()
  await closed
  expect(await hear(2)).toEqual(['4in time', '1'])
  connection.write('late')
  directOf(connection)?.flush()
  expect(isOpen(connection)).toBe(false)
})

test('a client that does not read is waited for, and loses nothing', async () => {
  const { client, connection, hear } = await enter()
  client.pause()
  const texts = Array.from({ length: 400 }, (_, i) => `${i} ${'x'.repeat(50_000)}`)
  for (const text of texts) {
    connection.write(text)
    directOf(connection)?.flush()
  }
  expect(connection.transport.writable).toBe(false)
  expect(connection.writeBuffer.length).toBeGreaterThan(0)
  client.resume()
  expect(await hear(texts.length)).toEqual(texts.map((text) => `4${text}`))
  expect(connection.transport.writable).toBe(true)
})

test('a closed client that has ended its side and reads nothing keeps no connection', async () => {
  const { client, connection } = await enter()
  const tcp = tcpOf(connection)
  if (!tcp) throw new Error('it has no TCP connection')
  await stallAndEnd(client, tcp)
  connection.close()
  await once(tcp, 'close')
})
