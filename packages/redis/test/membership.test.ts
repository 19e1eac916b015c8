import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv, type RedisServer, startProcess, startRedis, until } from '@saoma/testing'
import {
  clockOf,
  createRedis,
  joinCluster,
  type MembershipOptions,
  memberOf,
  NotAdmitted,
  type RedisClients,
} from '../src/index.ts'

let server: RedisServer
let redis: RedisClients

beforeAll(async () => {
  server = await startRedis()
  redis = await createRedis({ url: server.url, probeMs: 0 })
  onCleanup(() => redis.close())
})
beforeEach(() => redis.data.flushall())

const joinAs = (nodeId: string, options: Partial<MembershipOptions> = {}) =>
  joinCluster(redis, {
    nodeId,
    onConflict: (other) => {
      throw new Error(`there is ${other}`)
    },
    ...options,
  })

const startMember = async (nodeId: string) => {
  const member = await startProcess({
    name: `member ${nodeId}`,
    command: process.execPath,
    args: [fileURLToPath(new URL('./fixtures/member.ts', import.meta.url)), server.url, nodeId],
    env: plainEnv(),
  })
  await member.nextLine(({ text }) => text === 'joined')
  return member
}

// The second is admitted once the name is given back.
test('of two nodes that start with one name, one is admitted and the other told so', async () => {
  const both = await Promise.allSettled([joinAs('a'), joinAs('a')])
  const [admitted, ...more] = both.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  expect(more).toEqual([])
  const refusals = both.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  expect(refusals).toEqual([expect.any(NotAdmitted)])
  expect(refusals[0].message).toContain(`runs as "a" (process ${process.pid} on ${hostname()})`)
  await (await joinAs('b')).close()
  await admitted?.close()
  await (await joinAs('a')).close()
  expect(await redis.data.keys('*')).toEqual(['saoma:cluster-version'])
})

test('a living process keeps its name; a killed one loses it at once, to one successor', async () => {
  const member = await startMember('a')
  await expect(joinAs('a')).rejects.toThrow(`process ${member.pid} `)
  await member.kill('SIGKILL')
  const both = await Promise.allSettled([joinAs('a'), joinAs('a')])
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  for (const each of both) if (each.status === 'fulfilled') await each.value.close()
})

test('a process of another machine loses its name when its signs of life end', async () => {
  const elsewhere = JSON.stringify({ run: 'r', host: 'elsewhere', pid: 1 })
  await redis.data.set(redis.keys.nodeName('a'), elsewhere, 'PX', 700)
  const membership = await joinAs('a')
  expect(await redis.data.get(redis.keys.nodeName('a'))).toContain(`"pid":${process.pid}`)
  await membership.close()
})

test('a node does not join nodes of another version and takes no name', async () => {
  const present = await joinAs('a', { version: 1 })
  await expect(joinAs('b', { version: 3, beside: 2 })).rejects.toThrow(/are of version 1, this one is of version 3/)
  expect(await redis.data.exists(redis.keys.nodeName('b'))).toBe(0)
  await present.close()
})

// Then nodes of the version before are refused.
test('a version that runs beside the one before counts when the last node of that has gone', async () => {
  const former = await joinAs('a', { version: 1 })
  const next = await joinAs('b', { version: 2, beside: 1, settleMs: 1 })
  expect(next.version()).toBe(1)
  expect(await redis.data.get(redis.keys.clusterVersion())).toBe('1')
  const another = await joinAs('c', { version: 1 })
  await Promise.all([former.close(), another.close()])
  // As half a minute does.
  await redis.data.unlink(redis.keys.clusterVersion())
  await until(
    async () => next.version(),
    (version) => version === 2,
  )
  await expect(joinAs('d', { version: 1 })).rejects.toThrow(/are of version 2, this one is of version 1/)
  await next.close()
})

test('a node of the version before that was only away makes the others wait for it again', async () => {
  const next = await joinAs('b', { version: 2, beside: 1, settleMs: 1 })
  await until(
    async () => next.version(),
    (version) => version === 2,
  )
  await redis.data.set(redis.keys.clusterVersion(), 1)
  await until(
    async () => next.version(),
    (version) => version === 1,
  )
  await next.close()
})

// Redis may have lost the sign of the nodes of the version before, and they may not have come back yet.
test('a node that joins waits before it counts its own version, whatever stands in Redis', async () => {
  for (const standing of [undefined, 2]) {
    await redis.data.unlink(redis.keys.clusterVersion())
    if (standing) await redis.data.set(redis.keys.clusterVersion(), standing)
    const next = await joinAs('b', { version: 2, beside: 1, settleMs: 3_600_000 })
    expect(next.version()).toBe(1)
    await next.close()
  }
})

test('a name taken by another process is reported with its holder', async () => {
  const told = Promise.withResolvers<string>()
  const membership = await joinAs('a', { onConflict: told.resolve })
  await redis.data.set(redis.keys.nodeName('a'), JSON.stringify({ run: 'r', host: 'elsewhere', pid: 7 }))
  expect(await told.promise).toBe('process 7 on elsewhere')
  await membership.close()
})

test('a member tells its version and its clock, and takes both away when it leaves', async () => {
  expect([await memberOf(redis, 'a'), await clockOf(redis, 'a')]).toEqual([undefined, undefined])
  const before = Date.now()
  const membership = await joinAs('a', { release: '1.2.3' })
  expect(await memberOf(redis, 'a')).toEqual({ host: hostname(), pid: process.pid, release: '1.2.3' })
  const clock = await until(
    () => clockOf(redis, 'a'),
    (read) => read !== undefined,
  )
  expect(clock?.said).toBeGreaterThanOrEqual(before)
  expect(clock?.said).toBeLessThanOrEqual(Date.now())
  expect(clock?.agoMs).toBeGreaterThanOrEqual(0)
  await membership.close()
  expect([await memberOf(redis, 'a'), await clockOf(redis, 'a')]).toEqual([undefined, undefined])
})

// Five seconds would be until the next one.
test('a reading of the clock that was stored late is replaced at the next beat', async () => {
  const membership = await joinAs('a')
  await server.kill('SIGSTOP')
  // Longer than until the first beat, which has a reading.
  await delay(2_000)
  await server.kill('SIGCONT')
  const resumedAt = performance.now()
  const clock = await until(
    () => clockOf(redis, 'a'),
    (read) => read !== undefined && Math.abs(read.said + read.agoMs - Date.now()) < 250,
  )
  expect(clock).toBeDefined()
  expect(performance.now() - resumedAt).toBeLessThan(4_000)
  await membership.close()
})

// Builds before this one wrote `run`, `host` and `pid`, and nothing else.
test('members of former builds and of this one understand each other', async () => {
  const former = JSON.stringify({ run: 'r', host: 'elsewhere', pid: 7 })
  await redis.data.set(redis.keys.nodeName('a'), former, 'PX', 60_000)
  expect(await memberOf(redis, 'a')).toEqual({ host: 'elsewhere', pid: 7 })
  const membership = await joinAs('b', { release: '1.2.3' })
  const record = await redis.data.get(redis.keys.nodeName('b'))
  expect(JSON.parse(record ?? '')).toMatchObject({ run: expect.any(String), host: hostname(), pid: process.pid })
  // A former build takes a name for held as long as its text stays and its time to live grows.
  const clock = () => clockOf(redis, 'b')
  await until(clock, (read) => read !== undefined)
  expect(await redis.data.get(redis.keys.nodeName('b'))).toBe(record)
  await membership.close()
})
