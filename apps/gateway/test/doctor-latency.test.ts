import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { onCleanup, startRedis } from '@saoma/testing'
import { judgeLatency } from '../src/doctor/latency.ts'
import { diagnoseBy } from './diagnosis.ts'

test('round trips by their median', () => {
  const level = (...trips: number[]) => judgeLatency('a:1', trips).level
  expect([level(0.2, 0.2, 400), level(6, 0.2, 6), level(101, 120, 0.2)]).toEqual(['ok', 'warning', 'error'])
  expect(judgeLatency('a:1', [6, 0.25, 12]).says).toMatch(/ takes 6\.0 ms \(median of 3; the worst took 12 ms\)/)
})

/** A way to a server on which everything takes so long. */
const startLongWay = async (port: number, ms: number): Promise<number> => {
  const pass = (from: Socket, to: Socket) => {
    from.on('data', (bytes) => void delay(ms).then(() => to.destroyed || to.write(bytes)))
    from.on('close', () => to.destroy())
    from.on('error', () => to.destroy())
  }
  const way = createServer((client) => {
    const server = dial(port, '127.0.0.1')
    pass(client, server)
    pass(server, client)
  }).listen(0, '127.0.0.1')
  await new Promise((done) => way.once('listening', done))
  onCleanup(() => way.close())
  return (way.address() as AddressInfo).port
}

test('a Redis that is far away is a warning with its time', async () => {
  const { port } = await startRedis({ appendonly: true })
  const way = await startLongWay(port, 8)
  const { code, of } = await diagnoseBy('redis', { REDIS_URL: `redis://127.0.0.1:${way}` })
  expect(code).toBe(0)
  expect(of('redis-latency')).toEqual([
    expect.stringMatching(
      /^warning: A round trip .+ takes \d+ ms \(median of 20; .+: every request waits several times/,
    ),
  ])
})
