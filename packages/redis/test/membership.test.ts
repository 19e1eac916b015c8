import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv, type RedisServer, startProcess, startRedis } from '@saoma/testing'
import { createRedis, joinCluster, type MembershipOptions, NotAdmitted, type RedisClients } from '../src/index.ts'

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

test('of two that start with one name at once, one is admitted; the other is told who has it, until it is given back', async () => {
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

test('a living process keeps its name; one that was killed leaves it at once, and only one of two takes it', async () => {
  const member = await startMember('a')
  await expect(joinAs('a')).rejects.toThrow(`process ${member.pid} `)
  await member.kill('SIGKILL')
  const both = await Promise.allSettled([joinAs('a'), joinAs('a')])
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  for (const each of both) if (each.status === 'fulfilled') await each.value.close()
})

test('a process of another machine leaves it when its signs of life have ended', async () => {
  const elsewhere = JSON.stringify({ run: 'r', host: 'elsewhere', pid: 1 })
  await redis.data.set(redis.keys.nodeName('a'), elsewhere, 'PX', 700)
  await (await joinAs('a')).close()
})

test('nodes of another version are not joined, and no name is taken', async () => {
  const present = await joinAs('a', { version: 1 })
  await expect(joinAs('b', { version: 2 })).rejects.toThrow(/are of version 1, this one is of version 2/)
  expect(await redis.data.exists(redis.keys.nodeName('b'))).toBe(0)
  await present.close()
})

test('a name that somebody else has after all is told of, with who', async () => {
  const told = Promise.withResolvers<string>()
  const membership = await joinAs('a', { onConflict: told.resolve })
  await redis.data.set(redis.keys.nodeName('a'), JSON.stringify({ run: 'r', host: 'elsewhere', pid: 7 }))
  expect(await told.promise).toBe('process 7 on elsewhere')
  await membership.close()
})
