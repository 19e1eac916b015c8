import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, onCleanup, requireProgram, startProcess, startRedis } from '@saoma/testing'
import { createRedis } from '../src/index.ts'

const startSentinel = async (masterPort: number) => {
  const dir = await mkdtemp(join(tmpdir(), 'saoma-sentinel-'))
  onCleanup(() => rm(dir, { recursive: true, force: true }))
  const port = await freePort()
  const file = join(dir, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor login 127.0.0.1 ${masterPort} 1`,
      'sentinel down-after-milliseconds login 500',
      'sentinel failover-timeout login 3000',
    ].join('\n'),
  )
  const command = requireProgram('redis')
  const sentinel = await startProcess({ name: 'sentinel', command, args: [file, '--sentinel'] })
  await sentinel.nextLine(({ text }) => text.includes('+slave slave'), 20_000)
  return { port, sentinel }
}

test('behind Sentinel, a node follows the master to the replica that took over, and its subscriptions follow too', async () => {
  const master = await startRedis()
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${master.port}`] })
  await replica.nextLine(({ text }) => text.includes('MASTER <-> REPLICA sync: Finished with success'))
  const { port, sentinel } = await startSentinel(master.port)

  const redis = await createRedis({ url: `redis+sentinel://127.0.0.1:${port}/login` })
  onCleanup(() => redis.close())
  await redis.data.set('before', 'kept')
  expect(await redis.data.wait(1, 2_000)).toBe(1)
  await redis.subscriber.hold('{room}')

  const switched = sentinel.nextLine(({ text }) => text.includes('+switch-master'), 20_000)
  const resubscribed = once(redis.subscriber, 'resubscribed')
  // Not events.once, which takes the errors of the search for the new master for the end.
  const back = new Promise<void>((resolve) => redis.data.once('ready', () => resolve()))
  await master.kill()
  await Promise.all([switched, resubscribed, back])

  expect(await redis.data.get('before')).toBe('kept')
  const heard = once(redis.subscriber, 'message')
  await redis.data.spublish('{room}', 'still here')
  expect((await heard).map(String)).toEqual(['{room}', 'still here'])
})
