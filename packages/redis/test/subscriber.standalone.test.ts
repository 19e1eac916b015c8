import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startRedis, until } from '@saoma/testing'
import { connect, RedisUnavailable, whenReady } from '../src/index.ts'
import { next, openSubscriber } from './fixtures/subscriber.ts'
import { subscriberContract } from './subscriber-contract.ts'

const server = await startRedis()
await subscriberContract(server.url)

/** Stops this process for a moment, so that what Redis has answered lies in the socket, unread. */
const holdBreath = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)

test('a channel released and held again is not confirmed by the first hold’s answer', async () => {
  const subscriber = await openSubscriber(server.url)
  const first = subscriber.hold('again')
  // Commands leave at the end of the turn.
  await new Promise((resolve) => setImmediate(resolve))
  holdBreath()
  const stopped = server.kill('SIGSTOP')
  subscriber.release('again')
  let confirmed = false
  const second = subscriber.hold('again').then(() => {
    confirmed = true
  })
  await Promise.all([first, stopped])
  expect(confirmed).toBe(false)
  await server.kill('SIGCONT')
  await second
  subscriber.close()
})

test('an unconfirmed hold is refused in time and made good later', async () => {
  const subscriber = await openSubscriber(server.url)
  const operator = connect({ url: server.url, name: 'operator', onError: () => {} })
  await whenReady(operator, 5_000)
  await operator.call('CLIENT', 'PAUSE', '5500', 'ALL')
  await expect(subscriber.hold('late')).rejects.toThrow(RedisUnavailable)
  await subscriber.confirmed('late')
  const heard = next(subscriber, 'late')
  await operator.spublish('late', 'hello')
  expect(await heard).toBe('hello')
  operator.disconnect()
  subscriber.close()
})

test('a caller that stops waiting for an unconfirmed channel leaves nothing behind', async () => {
  const refusing = await startRedis({ user: { name: 'saoma', rights: '~* &* +@all -ssubscribe' }, password: 'pw' })
  const subscriber = await openSubscriber(refusing.url)
  subscriber.hold('refused').catch(() => {})
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const used = () => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const giveUp = async (count: number) => {
    const waits = Array.from({ length: count }, () => subscriber.confirmed('refused'))
    const ends = await Promise.allSettled(waits)
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true)
  }
  const before = used()
  await giveUp(20_000)
  await until(
    async () => used() - before,
    (grown) => grown < 20_000 * 200,
  )
  subscriber.close()
})
