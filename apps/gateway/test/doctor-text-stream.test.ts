import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { probeEventStream } from '../src/doctor/event-stream.ts'
import { bitsOf } from '../src/doctor/strength.ts'
import { openText } from '../src/doctor/text-stream.ts'

const { signal } = new AbortController()
const serve = async (answer: (res: ServerResponse) => void): Promise<string> => {
  const server = createServer((_, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    answer(res)
  }).listen(0, '127.0.0.1')
  onCleanup(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
const open = async (url: string) => {
  const stream = await openText(url, { signal, headers: {}, deadline: performance.now() + 5_000 })
  if (!stream.ok) throw new Error(stream.why)
  return stream
}
/** Writes as fast as somebody reads, until the connection is cut. Resolves with the number of bytes. */
const flood = (res: ServerResponse, line: string, done: (bytes: number) => void) => {
  let bytes = 0
  const block = line.repeat(64)
  const more = () => {
    while (!res.destroyed && res.write(block)) bytes += block.length
    bytes += block.length
  }
  res.on('drain', more).on('close', () => done(bytes))
  more()
}

test('lines are looked at once, also one that comes in pieces, and the last without its end', async () => {
  const url = await serve((res) => {
    res.write('first\nsec')
    setImmediate(() => res.end('ond\nlast'))
  })
  const stream = await open(url)
  const seen: string[] = []
  const until = (wanted: string) =>
    stream.until((line) => seen.push(line) > 0 && line === wanted, performance.now() + 5_000)
  expect([await until('second'), await until('last'), await until('none')]).toEqual(['there', 'there', 'ended'])
  expect(seen).toEqual(['first', 'second', 'last'])
})

test.each(['x\n', 'x'])('a stream without an end is cut after 64 KB: %j', async (line) => {
  const cut = Promise.withResolvers<number>()
  const stream = await open(await serve((res) => flood(res, line.repeat(16), cut.resolve)))
  let looked = 0
  const came = await stream.until((text) => {
    looked += text.length
    return false
  }, performance.now() + 20_000)
  expect(came).toBe('long')
  // Each character once.
  expect(looked).toBeLessThanOrEqual(64 * 1024)
  // The kernel's buffers hold some megabytes besides.
  expect(await cut.promise).toBeLessThan(64 * 1024 * 1024)
})

test('the doctor says of such a stream that it is not of a node', async () => {
  const url = await serve((res) => flood(res, 'data: x\n', () => {}))
  const ticket = { url, headers: { Authorization: 'Bearer x' }, answerMs: 1 }
  expect(await probeEventStream(ticket, signal)).toMatchObject([
    { code: 'event-stream', level: 'error', says: 'Event streams do not pass: more comes than a node ever sends.' },
  ])
})

test('of a secret the first 256 characters are judged', () => {
  const long = 'a'.repeat(256)
  expect(bitsOf(`${long}${'Zk3+9'.repeat(100_000)}`)).toBe(bitsOf(long))
})
