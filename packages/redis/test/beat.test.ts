import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup, type RedisServer, startRedis, startRedisCluster, startService, until } from '@saoma/testing'
import calculateSlot from 'cluster-key-slot'
import { createBeat } from '../src/beat.ts'
import { connect, createKeys, createRedis, type RedisClients, Subscriber, whenReady } from '../src/index.ts'
import { createProbe } from '../src/probe.ts'
import { shardsOf } from '../src/shards.ts'
import { drawTags } from '../src/tags.ts'

const BEAT_MS = 50

interface Told {
  role: string
  word: string | undefined
}

const open = async (url: string, probeMs = BEAT_MS): Promise<{ redis: RedisClients; told: Told[] }> => {
  const told: Told[] = []
  const redis = await createRedis({ url, probeMs, onRefusal: (role, word) => told.push({ role, word }) })
  onCleanup(() => redis.close())
  return { redis, told }
}

const operatorOf = async (server: RedisServer) => {
  const operator = connect({ ...server.operator, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  return operator
}

/** Resolves when both connections that write are refused with this word, or take writes. */
const when = ({ unavailable, refusal }: RedisClients, word: string | undefined): Promise<unknown> =>
  until(
    async () => ({ roles: unavailable(), words: [refusal('data'), refusal('pub')] }),
    ({ roles, words }) => words.every((one) => one === word) && roles.join() === (word === undefined ? '' : 'data,pub'),
  )

type Operator = Awaited<ReturnType<typeof operatorOf>>
interface Case {
  word: string
  breaks: (operator: Operator, dir: string) => Promise<unknown>
  /** A busy Redis lets nobody in: the second is for that. */
  mends: (operator: Operator, other: Operator) => Promise<unknown>
}

/** A script that no timeout of ours ends. */
const busy: Promise<unknown>[] = []
const cases: Case[] = [
  {
    word: 'OOM',
    breaks: (operator) => operator.config('SET', 'maxmemory', '1'),
    mends: (operator) => operator.config('SET', 'maxmemory', '0'),
  },
  {
    word: 'NOREPLICAS',
    breaks: (operator) => operator.config('SET', 'min-replicas-to-write', '1'),
    mends: (operator) => operator.config('SET', 'min-replicas-to-write', '0'),
  },
  {
    word: 'MISCONF',
    breaks: async (operator, dir) => {
      await operator.config('SET', 'save', '3600 1000000')
      await rm(dir, { recursive: true })
      await operator.bgsave()
    },
    mends: (operator) => operator.config('SET', 'stop-writes-on-bgsave-error', 'no', 'save', ''),
  },
  {
    word: 'NOPERM',
    breaks: (operator) => operator.call('ACL', 'SETUSER', 'saoma', '-spublish'),
    mends: (operator) => operator.call('ACL', 'SETUSER', 'saoma', '+spublish'),
  },
  {
    word: 'BUSY',
    breaks: async (operator) => {
      await operator.config('SET', 'busy-reply-threshold', '1')
      busy.push(operator.eval('while true do end', 0).catch(() => {}))
    },
    mends: async (_, other) => {
      await other.script('KILL')
      await Promise.all(busy)
    },
  },
  {
    word: 'READONLY',
    breaks: (operator) => operator.replicaof('127.0.0.1', 1),
    mends: (operator) => operator.replicaof('NO', 'ONE'),
  },
]

test.each(cases)(
  '$word is reported once for an open connection and ends by itself',
  async ({ word, breaks, mends }) => {
    const dir = await mkdtemp(join(tmpdir(), 'saoma-beat-'))
    onCleanup(() => rm(dir, { recursive: true, force: true }))
    const server = await startRedis({ dir, user: { name: 'saoma', rights: '~* &* +@all' }, password: 'pw' })
    const operator = await operatorOf(server)
    const other = await operatorOf(server)
    const { redis, told } = await open(server.url)
    await when(redis, undefined)
    await breaks(operator, dir)
    await when(redis, word)
    await mends(operator, other)
    await when(redis, undefined)
    expect(told.filter(({ role }) => role === 'data').map((one) => one.word)).toEqual([word, undefined])
  },
)

test('behind a stable address, clients of a demoted master find the new one', async () => {
  const args = ['--repl-diskless-sync-delay', '0']
  const former = await startRedis({ args })
  const next = await startRedis({ args: [...args, '--replicaof', '127.0.0.1', `${former.port}`] })
  await next.nextLine(({ text }) => text.includes('sync: Finished with success'))
  const [atFormer, atNext] = [await operatorOf(former), await operatorOf(next)]
  const service = await startService([`127.0.0.1:${former.port}`])
  const { redis, told } = await open(`redis://${service.address}`)
  const heard: string[] = []
  await redis.subscriber.hold('{room}', { hear: (payload) => heard.push(String(payload)) })
  await when(redis, undefined)

  await atNext.replicaof('NO', 'ONE')
  service.set([`127.0.0.1:${next.port}`])
  await atFormer.replicaof('127.0.0.1', next.port)
  // Nothing but the beat has written meanwhile.
  await until(
    async () =>
      told
        .filter(({ word }) => word === undefined)
        .map(({ role }) => role)
        .sort()
        .join(),
    (roles) => roles === 'data,pub',
  )
  await when(redis, undefined)
  expect(told.map(({ word }) => word)).toEqual(['READONLY', 'READONLY', undefined, undefined])
  expect(await redis.data.set('after', 'x', 'PX', 60_000)).toBe('OK')
  expect(await atNext.get('after')).toBe('x')
  // Its subscription is with the former master still, until that has caught up with the new one or the beat
  // is missed.
  await until(
    async () => {
      await redis.pub.spublish('{room}', 'still here')
      return heard
    },
    (messages) => messages.includes('still here'),
  )
})

test('a command refused by a demoted master is not sent again to the next', async () => {
  const server = await startRedis()
  const operator = await operatorOf(server)
  const { redis } = await open(server.url, 0)
  await operator.replicaof('127.0.0.1', 1)
  const back = new Promise<void>((resolve) => redis.data.once('ready', () => resolve()))
  await expect(redis.data.incr('counter')).rejects.toThrow('READONLY')
  await operator.replicaof('NO', 'ONE')
  await back
  expect(await redis.data.incr('counter')).toBe(1)
})

test('silent script messages are noticed even while those of the adapter are heard', async () => {
  const [here, elsewhere] = [await startRedis(), await startRedis()]
  const at = async (server: RedisServer) => {
    const connection = connect({ url: server.url, name: 'test', onError: () => {} })
    onCleanup(() => connection.disconnect())
    await whenReady(connection, 5_000)
    return connection
  }
  const [data, pub] = [await at(elsewhere), await at(here)]
  const subscriber = new Subscriber(shardsOf({ url: here.url, name: 'test:sub', onError: () => {} }, pub))
  onCleanup(() => subscriber.close())
  await subscriber.ready(5_000)
  const keys = createKeys('saoma')
  const beat = createBeat({ data, pub }, keys, { onRefusal: () => {} })
  const deaf = Promise.withResolvers<string>()
  const probe = createProbe(data, subscriber, beat, keys, {
    intervalMs: BEAT_MS,
    onEcho: () => {},
    onDeaf: () => deaf.resolve('deaf'),
  })
  onCleanup(() => probe.close())
  expect(await deaf.promise).toBe('deaf')
})

test('a master that stays a replica is not left repeatedly, and reads go on', async () => {
  const server = await startRedis()
  const operator = await operatorOf(server)
  const { redis } = await open(server.url)
  await when(redis, undefined)
  await operator.replicaof('127.0.0.1', 1)
  await when(redis, 'READONLY')
  // Each write is refused, and none of them costs the connection that the next read goes over.
  const ENOUGH = 5
  const inARow = async () => {
    for (let reads = 0; ; reads++) {
      const write = await redis.data.set('key', 'x', 'PX', 60_000).catch(({ message }: Error) => message)
      const read = await redis.data.get('key').catch(() => 'lost')
      if (!String(write).startsWith('READONLY') || read !== null || reads === ENOUGH) return reads
    }
  }
  expect(await until(inARow, (reads) => reads === ENOUGH)).toBe(ENOUGH)
  await operator.replicaof('NO', 'ONE')
  await when(redis, undefined)
})

test('the outcome of a beat under way is ignored once its shard is forgotten', async () => {
  const server = await startRedis()
  const operator = await operatorOf(server)
  const connection = connect({ url: server.url, name: 'test', onError: () => {} })
  onCleanup(() => connection.disconnect())
  await whenReady(connection, 5_000)
  const words: (string | undefined)[] = []
  const beat = createBeat({ data: connection, pub: connection }, createKeys('saoma'), {
    onRefusal: (_, word) => words.push(word),
  })
  onCleanup(() => beat.close())
  beat.know('tag')
  await operator.config('SET', 'maxmemory', '1')
  const said = beat.say('data', 'tag')
  beat.forget('tag')
  expect(await said).toBe(false)
  expect(beat.fails('data')).toBe(false)
  beat.know('tag')
  expect(await beat.say('data', 'tag')).toBe(false)
  expect(beat.fails('data')).toBe(true)
  expect(words).toEqual(['OOM'])
})

test('a Redis Cluster that serves nobody is reported after a moment to recover', async () => {
  const cluster = await startRedisCluster()
  const connection = connect({ url: cluster.url, name: 'test', onError: () => {} })
  onCleanup(() => connection.disconnect())
  await whenReady(connection, 5_000)
  let time = 0
  const told: (string | undefined)[] = []
  const beat = createBeat({ data: connection, pub: connection }, createKeys('saoma'), {
    onRefusal: (_, word) => told.push(word),
    now: () => time,
  })
  onCleanup(() => beat.close())
  // Of the first master, which stays.
  const [[, tag = ''] = []] = [...drawTags(connection, new Set([`127.0.0.1:${cluster.ports[0]}`]))]
  beat.know(tag)
  const [first] = cluster.nodes
  if (!first) throw new Error('this is no cluster')
  // One slot is nobody's, for which the others are refused as well.
  const slot = calculateSlot(`{${tag}}`)
  const down = first.nextLine(({ text }) => text.includes('Cluster state changed: fail'), 20_000)
  await (await operatorOf(first)).call('CLUSTER', 'DELSLOTS', `${slot === 0 ? 1 : slot - 1}`)
  await down
  // On a busy machine one may be lost with its connection.
  while (told.length === 0) expect(await beat.say('data', tag)).toBe(false)
  // It was sent to another member after each such answer, who sent it back: the last of them is told.
  expect(told).toEqual([expect.stringMatching(/^(CLUSTERDOWN|MOVED)$/)])
  expect(beat.refusal('data')).toBe(told[0])
  expect(beat.fails('data')).toBe(false)
  time = 5_001
  expect(beat.fails('data')).toBe(true)
})
