import { onCleanup, startAwake, startRedis, startRedisCluster } from '@saoma/testing'
import { connect, connectServer, whenReady } from '../src/connection.ts'
import { awaitOver } from '../src/overdue.ts'

const COMMAND_TIMEOUT_MS = 300
const server = await startRedis()

const open = async (port = server.port) => {
  const options = { url: server.url, name: 'overdue', onError: () => {} }
  const connection = connectServer(options, { host: '127.0.0.1', port }, { commandTimeout: COMMAND_TIMEOUT_MS })
  onCleanup(() => connection.disconnect())
  await whenReady(connection, 15_000)
  return connection
}
/** Nothing of this process runs meanwhile, as if it were suspended. */
const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
/** The commands of this turn have been written. */
const written = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

test('a reply that arrived while this process stood still is no late reply', async () => {
  const connection = await open()
  await connection.set('word', 'here')
  for (let i = 0; i < 3; i++) {
    const asked = Array.from({ length: 10 }, () => connection.get('word'))
    await written()
    pause(3 * COMMAND_TIMEOUT_MS)
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['here']))
  }
})

test('commands without a reply are rejected after their time and not before, the later ones later', async () => {
  const silent = await startRedis()
  const connection = await open(silent.port)
  await connection.set('word', 'here')
  await silent.kill('SIGSTOP')
  const begunAt = performance.now()
  const awake = startAwake()
  const over: number[] = []
  const ask = async (i: number) => {
    await expect(connection.get('word')).rejects.toThrow('Command timed out')
    over.push(i)
  }
  const first = ask(0)
  const second = first.then(() => ask(1))
  await new Promise((resolve) => setTimeout(resolve, COMMAND_TIMEOUT_MS / 2))
  const between = ask(2)
  await first
  expect(performance.now() - begunAt).toBeGreaterThanOrEqual((COMMAND_TIMEOUT_MS * 6) / 7 - 2)
  expect(awake.stop()).toBeLessThan(COMMAND_TIMEOUT_MS + 50)
  await Promise.all([second, between])
  expect(over).toEqual([0, 2, 1])

  // The replies that come at last belong to the commands that were given up.
  await silent.kill('SIGCONT')
  const late = await Promise.all(Array.from({ length: 5_000 }, (_, i) => connection.echo(`${i}`)))
  expect(late).toEqual(Array.from({ length: 5_000 }, (_, i) => `${i}`))
})

test('a shard of a Redis Cluster has the same bound', async () => {
  const cluster = await startRedisCluster()
  const connection = connect({ url: cluster.url, name: 'overdue', onError: () => {} })
  onCleanup(() => connection.disconnect())
  await whenReady(connection, 15_000)
  await connection.set('word', 'here')
  const asked = connection.get('word')
  await written()
  pause(4_000)
  expect(await asked).toBe('here')
  for (const node of cluster.nodes) await node.kill('SIGSTOP')
  await expect(connection.get('word')).rejects.toThrow('Command timed out')
})

test('a pause of this process uses up a part of a wait, and the whole time ends it', async () => {
  let over = false
  awaitOver(COMMAND_TIMEOUT_MS, () => {
    over = true
  })
  const stop = awaitOver(COMMAND_TIMEOUT_MS, () => {
    throw new Error('this wait was stopped')
  })
  const end = new Promise<void>((resolve) => awaitOver(COMMAND_TIMEOUT_MS, resolve))
  pause(3 * COMMAND_TIMEOUT_MS)
  await written()
  expect(over).toBe(false)
  stop()
  // A timer of this process does not keep it awake.
  const awake = setInterval(() => {}, 1_000)
  await end
  clearInterval(awake)
  expect(over).toBe(true)
})
