import { onCleanup, startRedis } from '@saoma/testing'
import { connect, whenReady } from '../src/connection.ts'

const server = await startRedis()
const open = async () => {
  const connection = connect({ url: server.url, name: 'gather', onError: () => {} })
  onCleanup(() => connection.disconnect())
  await whenReady(connection, 15_000)
  return connection
}
const connection = await open()
const counting = await open()
/** How often Redis has read from its clients. */
const readsSoFar = async () => Number(/total_reads_processed:(\d+)/.exec(await counting.info('stats'))?.[1])

test('commands of one turn reach Redis in one read, in their order', async () => {
  const before = await readsSoFar()
  const counts = await Promise.all(Array.from({ length: 200 }, () => connection.incr('count')))
  expect(counts).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
  // One for them, one for our own question, and some for what comes in pieces.
  expect((await readsSoFar()) - before).toBeLessThan(20)
})

test('a transaction and commands around it keep their order', async () => {
  await connection.set('word', 'a')
  const [read, changed, after] = await Promise.all([
    connection.get('word'),
    connection.multi().set('word', 'b').get('word').exec(),
    connection.get('word'),
  ])
  expect([read, changed?.[1]?.[1], after]).toEqual(['a', 'b', 'b'])
})

test('a command of the turn in which the connection goes is refused, and the next one works', async () => {
  const other = await open()
  const lost = Promise.allSettled([other.incr('lost'), other.incr('lost')])
  if ('nodes' in other) throw new Error('this is no cluster')
  other.stream.destroy()
  expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await whenReady(other, 15_000)
  expect(await other.incr('after')).toBe(1)
})
