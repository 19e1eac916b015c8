import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv, startProcess, startRedisCluster } from '@saoma/testing'
import { createRedis, orUnavailable, RedisUnavailable } from '../src/index.ts'

/** Keys of many slots, so that every shard has some. */
const KEYS = Array.from({ length: 300 }, (_, i) => `key-${i}`)
/** A cluster is well again some seconds after its last master is. */
const BACK_MS = 20_000

const cluster = await startRedisCluster()
const open = async () => {
  const redis = await createRedis({ url: cluster.url })
  onCleanup(() => redis.close())
  return redis
}

test('every shard takes any number of commands as soon as createRedis resolves', async () => {
  for (let round = 0; round < 5; round++) {
    const { data } = await open()
    const answers = await Promise.all(KEYS.map((key) => orUnavailable(data.set(key, round))))
    expect(answers).toEqual(KEYS.map(() => 'OK'))
  }
})

// No rejection is unhandled.
test('a killed master’s commands fail, and commands and subscriptions return with it', async () => {
  const [lost] = cluster.nodes
  const { data } = await open()
  const survivor = await startProcess({
    name: 'survivor',
    command: process.execPath,
    args: [fileURLToPath(new URL('./fixtures/survivor.ts', import.meta.url)), cluster.url],
    env: plainEnv(),
  })
  await survivor.nextLine(({ text }) => text === 'ready')

  await lost?.kill('SIGKILL')
  const results = await Promise.allSettled(KEYS.map((key) => orUnavailable(data.get(key))))
  const failures = results.filter((result) => result.status === 'rejected')
  expect(failures.length).toBeGreaterThan(0)
  for (const { reason } of failures) expect(reason).toBeInstanceOf(RedisUnavailable)

  await lost?.restart()
  await lost?.nextLine(({ text }) => text.includes('Cluster state changed: ok'), BACK_MS)
  const all = (command: (name: string) => Promise<unknown>, names: string[]) =>
    Promise.all(names.map((name) => orUnavailable(command(name))))
  // The connection to the returned master is made anew; until then its commands go on failing fast.
  for (;;) {
    try {
      await all((key) => data.set(key, 'back'), KEYS)
      break
    } catch (error) {
      expect(error).toBeInstanceOf(RedisUnavailable)
      await setImmediate() // A refusal at once leaves the connection no turn to come back in.
    }
  }

  const channels = Array.from({ length: 30 }, (_, i) => `channel-${i * 20}`)
  const heard = new AbortController()
  const everybody = Promise.all(
    channels.map((channel) => survivor.nextLine(({ text }) => text === `heard on ${channel}`, BACK_MS)),
  ).finally(() => heard.abort())
  // Asked until all have answered, for a shard's subscriptions may come back a little after its commands.
  while (!heard.signal.aborted) await all((channel) => data.spublish(channel, 'are you there?'), channels)
  await everybody

  await survivor.kill('SIGTERM')
  expect(await survivor.exited).toEqual({ code: 0, signal: null })
  expect(survivor.lines.map(({ text }) => text).join('\n')).not.toMatch(/Error|Warning|rejection/i)
})
