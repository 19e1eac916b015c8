import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { onCleanup, until } from '@saoma/testing'
import Koa from 'koa'
import { type EventStream, openEventStream } from '../src/transport/http/event-stream.ts'

/** A stream whose heart beats that often, and its reader. */
const open = async (heartbeatMs: number) => {
  const opened = Promise.withResolvers<EventStream>()
  const app = new Koa()
  app.use((ctx) => opened.resolve(openEventStream(ctx, { heartbeatMs })))
  const server = app.listen(0, '127.0.0.1')
  onCleanup(() => server.close())
  await once(server, 'listening')
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1')
  reader.on('error', () => {})
  reader.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const stream = await opened.promise
  await once(reader, 'data')
  return { stream, reader }
}
/** Until the kernel takes no more for the reader. */
const fill = async (stream: EventStream) => {
  const event = `data: ${'x'.repeat(1 << 20)}\n\n`
  let bytes = 0
  // A kernel that takes more than this for one connection is not one that we know.
  for (let writes = 0; writes < 64 && stream.waiting < 2 << 20; writes++) {
    bytes += stream.write(event)
    await turn()
  }
  return bytes
}

test('a reader that has stopped reading is cut off, though nothing more is written for it', async () => {
  const { stream, reader } = await open(300)
  reader.pause()
  const bytes = await fill(stream)
  const closed = once(reader, 'close')
  // It would never see the end of a connection that it does not read.
  await until(
    async () => stream.waiting,
    (bytes) => bytes === 0,
  )
  let heard = 0
  reader.on('data', (data: Buffer) => {
    heard += data.length
  })
  reader.resume()
  await closed
  expect(heard).toBeLessThan(bytes)
})

test('a slow reader is not cut off, and a quiet stream stays', async () => {
  // So slowly that filling it takes less than three beats on a busy machine.
  const { stream, reader } = await open(1_500)
  reader.pause()
  const bytes = await fill(stream)
  let heard = 0
  let beats = 0
  reader.resume()
  const over = new Promise<void>((resolve) =>
    reader.on('data', (data: Buffer) => {
      heard += data.length
      // As much as a modem takes, at most.
      reader.pause()
      setTimeout(() => reader.resume(), 5)
      if (data.toString().includes(':\n\n')) beats++
      if (beats > 3) resolve()
    }),
  )
  await over
  expect(heard).toBeGreaterThanOrEqual(bytes)
  reader.destroy()
  stream.cut()
})
