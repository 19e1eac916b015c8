import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, startRedisCluster, until } from '@saoma/testing'
import type { Client } from '../src/client.ts'
import { createGrants } from '../src/grants.ts'
import { createLogouts, type LogoutsOptions, type Untellable } from '../src/logouts.ts'
import { createSessionMarks } from '../src/session-marks.ts'
import { createUntold } from '../src/untold.ts'
import { openRedis } from './fixtures.ts'

let redis: RedisClients
beforeAll(async () => {
  redis = await openRedis()
})

/** Tellers of the present test. Those of a test before would take its work. */
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const open = (clients = redis) => {
  const untold = createUntold(clients)
  const marks = createSessionMarks(clients, 60_000)
  return { untold, grants: createGrants(clients, marks, async () => {}, undefined, untold) }
}
const begin = async ({ grants }: Pick<ReturnType<typeof open>, 'grants'>, sid: string, ...applications: string[]) => {
  await grants.adapter.upsert(sid, { kind: 'Grant', accountId: 'anna', clientId: 'login:x' }, 60)
  for (const id of applications) expect(await grants.enter(sid, id)).toBe(true)
}

/**
 * A node that tells applications. `answers` says for each how its calls go. Without more of them all are
 * taken.
 */
const startTeller = (answers: Record<string, (Error | 'taken')[]>, options: LogoutsOptions = {}) => {
  const told: [client: string, sub: string, sid: string][] = []
  const missed: Untellable[] = []
  const teller = createLogouts(
    {
      untold: createUntold(redis),
      registry: {
        find: (id) =>
          id.startsWith('gone') ? undefined : ({ id, backchannelLogoutUri: 'https://a.example' } as Client),
      },
      current: () => ({
        provider: { Client: { find: async (clientId: string) => ({ clientId }) } } as never,
        sendLogoutToken: async ({ clientId }, sub, sid) => {
          told.push([clientId, sub, sid])
          const answer = answers[clientId]?.shift() ?? 'taken'
          if (answer !== 'taken') throw answer
        },
      }),
    },
    {
      onUntellable: (one) => missed.push(one),
      ...options,
      times: { firstPauseMs: 1, longestPauseMs: 5, tries: 3, lookMs: 20, ...options.times },
    },
  )
  closing.push(teller.close)
  return { told, missed }
}
const status = (code: number) => Object.assign(new Error('no'), { response: new Response(null, { status: code }) })
/** Resolves when nothing is left to do. */
const untilIdle = () =>
  until(
    () => redis.data.zcard(redis.keys.untoldDue()),
    (count) => count === 0,
  )

test('the end of a session leaves its applications in the same step, and nothing for sessions without', async () => {
  const node = open()
  await begin(node, 's1', 'wiki', 'board')
  await begin(node, 's2')
  expect(await node.grants.destroy('s2')).toBe(true)
  expect(await node.untold.find('s2')).toBeUndefined()
  expect(await node.grants.destroy('s1')).toBe(true)
  expect(await node.untold.find('s1')).toEqual({ sub: 'anna', sid: 's1', clients: ['wiki', 'board'] })
  expect(await redis.data.pttl(node.untold.at('s1'))).toBeGreaterThan(3_600_000)
  expect(await node.grants.enter('s1', 'late')).toBe(false)
  const { told } = startTeller({})
  await untilIdle()
  expect(told.sort()).toEqual([
    ['board', 'anna', 's1'],
    ['wiki', 'anna', 's1'],
  ])
  expect(await redis.data.exists(node.untold.at('s1'))).toBe(0)
})

test('whoever refuses is told again, and the others only once', async () => {
  const node = open()
  await begin(node, 's3', 'wiki', 'board')
  await node.grants.destroy('s3')
  const results: string[] = []
  const { told, missed } = startTeller({ wiki: [status(500), new Error('away')] }, { onCalled: (r) => results.push(r) })
  await untilIdle()
  expect(told.map(([client]) => client).sort()).toEqual(['board', 'wiki', 'wiki', 'wiki'])
  expect(results.sort()).toEqual(['again', 'again', 'told', 'told'])
  expect(missed).toEqual([])
})

test('after the last try an application is given up, and that is said once', async () => {
  const node = open()
  await begin(node, 's4', 'wiki', 'board')
  await node.grants.destroy('s4')
  const no = status(503)
  const { told, missed } = startTeller({ wiki: [no, no, no, no] })
  await untilIdle()
  expect(missed).toEqual([{ sub: 'anna', sid: 's4', client: 'wiki', reason: 'status 503' }])
  expect(told.filter(([client]) => client === 'wiki')).toHaveLength(3)
  expect(await redis.data.exists(node.untold.at('s4'))).toBe(0)
})

test('what will not change is given up at once', async () => {
  const node = open()
  await begin(node, 's5', 'wiki', 'board', 'gone-since')
  await node.grants.destroy('s5')
  const refused = Object.assign(new Error('private'), { code: 'ADDRESS_REFUSED' })
  const { told, missed } = startTeller({ wiki: [status(400)], board: [refused] })
  await untilIdle()
  expect(told).toHaveLength(2)
  expect(missed.map(({ client, reason }) => [client, reason]).sort()).toEqual([
    ['board', 'ADDRESS_REFUSED'],
    ['wiki', 'status 400'],
  ])
})

test('of many nodes one tells', async () => {
  const node = open()
  const sids = Array.from({ length: 30 }, (_, i) => `many-${i}`)
  for (const sid of sids) await begin(node, sid, 'wiki')
  const tellers = Array.from({ length: 4 }, () => startTeller({}, { times: { lookMs: 5 } }))
  await Promise.all(sids.map((sid) => node.grants.destroy(sid)))
  await untilIdle()
  expect(tellers.flatMap(({ told }) => told.map(([, , sid]) => sid)).sort()).toEqual(sids.sort())
})

test('an end that was announced and did not come is forgotten, and comes again with the end', async () => {
  const node = open()
  await begin(node, 's6', 'wiki')
  await node.untold.schedule('s6', 0)
  const { told } = startTeller({})
  await untilIdle()
  expect(told).toEqual([])
  await node.grants.destroy('s6')
  await untilIdle()
  expect(told).toEqual([['wiki', 'anna', 's6']])
})

test('in a Redis Cluster session and applications lie in one slot', async () => {
  const clients = await createRedis({ url: (await startRedisCluster()).url, probeMs: 0 })
  onCleanup(() => clients.close())
  const node = open(clients)
  for (const sid of ['c1', 'c2', 'c3']) {
    await begin(node, sid, 'wiki')
    await node.grants.destroy(sid)
    expect(await node.untold.find(sid)).toEqual({ sub: 'anna', sid, clients: ['wiki'] })
  }
  await until(
    () => node.untold.claim(10),
    (ids) => ids.includes('c3'),
  )
  expect(await node.untold.told('c3', ['wiki'])).toEqual({ tries: 0, left: 0 })
})

test('in a full Redis a session ends, and its applications are told', async () => {
  const node = open()
  await begin(node, 'f1', 'wiki')
  const limit = (bytes: string) => redis.data.call('CONFIG', 'SET', 'maxmemory', bytes) as Promise<unknown>
  await limit('1')
  try {
    await expect(redis.data.set('any', 'x')).rejects.toThrow('OOM')
    expect(await node.grants.destroy('f1')).toBe(true)
    const { told } = startTeller({ wiki: [status(500)] })
    await untilIdle()
    expect(told).toHaveLength(2)
  } finally {
    await limit('0')
  }
})
