import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { plainEnv, type RedisServer, startProcess, until } from '@saoma/testing'
import { auditPool, type CodeStore, createFolderStore, type Pool, type Refill } from '../src/index.ts'
import { codePath, scene, startRedis, startWechat } from './nodes.ts'
import { APPID, drawTicketId, listOf } from './pool-fixtures.ts'
import { openCluster as openNodes } from './refill-nodes.ts'

/** A leader looks thrice in its lease, too; with this one it does not count. */
const HOUR_MS = 3_600_000

let server: RedisServer
let simulator: Awaited<ReturnType<typeof startWechat>>

beforeAll(async () => {
  ;[server, simulator] = await Promise.all([startRedis(), startWechat()])
})
beforeEach(() => simulator.clearFaults())
// All tests count calls of one WeChat, so none may go on into the next.
const running = new Set<Refill>()
afterEach(async () => {
  await Promise.all([...running].map((refill) => refill.close()))
  running.clear()
})
const openCluster = async (quarantineMs?: number) => {
  const { startRefill, ...cluster } = await openNodes(server, simulator, quarantineMs)
  return {
    ...cluster,
    startRefill: async (...options: Parameters<typeof startRefill>) => {
      const node = await startRefill(...options)
      running.add(node.refill)
      return node
    },
  }
}

const calls = async () => (await simulator.counters()).calls[codePath] ?? 0
/** The present draw's worth of minutes: a test that begins at the end of one counts in two. */
const presentMinute = () => Math.floor(Date.now() / 60_000)

const fresh = (pool: Pool, count: number) =>
  until(
    () => pool.stock(),
    (stock) => stock.fresh >= count,
  )

/** What lies in a store but for its own mark. */
const picturesIn = async (folder: string) => (await readdir(folder)).filter((name) => !name.startsWith('.'))

test('[P19] of two cold nodes one fills an empty pool, with one call for each code', async () => {
  const { folder, startRefill } = await openCluster()
  const before = await calls()
  const nodes = await Promise.all(['a', 'b'].map((nodeId) => startRefill({ nodeId, min: 120 })))
  const [{ pool }] = nodes as [(typeof nodes)[0]]
  await fresh(pool, 120)
  const leaders = nodes.filter((node) => node.of('leading').length > 0)
  expect(leaders).toHaveLength(1)
  // It looks again and finds nothing to do.
  await leaders[0]?.looks(2)
  expect(await calls()).toBe(before + 120)
  expect(await pool.stock()).toEqual({ fresh: 120, rested: 0, busy: 0 })
  expect(await picturesIn(folder)).toHaveLength(120)
  expect(leaders[0]?.of('filled').map(({ codes }) => codes)).toEqual([100, 20])
  const drawn = new Set((await simulator.drawn()).map((code) => code.scene))
  for (const { scene } of await listOf(pool)) expect(drawn.has(scene)).toBe(true)
})

test('[P19] when the node that fills the pool is killed, another takes over within its lease', async () => {
  const { prefix, folder, startRefill } = await openCluster()
  const leaseMs = 1_500
  // Slow enough to be killed in the middle.
  await simulator.fault({ path: codePath, kind: 'slow', ms: 40 })
  const lone = await startProcess({
    name: 'lone refill',
    command: process.execPath,
    args: [fileURLToPath(new URL('./lone-refill.ts', import.meta.url))],
    env: {
      ...plainEnv(),
      ...simulator.env,
      REDIS_URL: server.url,
      PREFIX: prefix,
      FOLDER: folder,
      MIN: '60',
      LEASE_MS: `${leaseMs}`,
    },
  })
  await lone.nextLine(({ text }) => text === 'leading')
  const { redis, pool, nth, of } = await startRefill({ nodeId: 'next', min: 60, leaseMs })
  await fresh(pool, 10)
  const refiller = redis.keys.poolRefiller(APPID)
  await until(
    async () => (await redis.data.get(refiller)) ?? '',
    (holder) => holder.startsWith('lone:'),
  )
  const terms = of('leading').length
  await lone.kill('SIGKILL')
  // What is left of the lease of the dead is all there is to wait for.
  expect(await redis.data.pttl(refiller)).toBeLessThanOrEqual(leaseMs)
  await nth('leading', terms + 1)
  await fresh(pool, 60)
  expect((await pool.stock()).fresh).toBe(60)
})

test('[P19] when the node that fills the pool ends, another takes over at its next look', async () => {
  const { startRefill } = await openCluster()
  const first = await startRefill({ nodeId: 'a', min: 1 })
  await first.nth('leading')
  const second = await startRefill({ nodeId: 'b', min: 1 })
  await first.refill.close()
  // Its lease of fifteen seconds is given back and not left to run out.
  expect((await second.redis.data.get(second.redis.keys.poolRefiller(APPID))) ?? 'free').not.toMatch(/^a:/)
  await second.nth('leading')
})

test('[P20] a node that lost its right stores no more codes', async () => {
  const { startRefill } = await openCluster()
  await simulator.fault({ path: codePath, kind: 'slow', ms: 30 })
  const { redis, pool, nth, of, when, looks } = await startRefill({ min: 500, leaseMs: 300 })
  await fresh(pool, 5)
  // As when it was paused for long and another node took over.
  await redis.data.set(redis.keys.poolRefiller(APPID), 'another', 'PX', 60_000)
  // A machine that is busy loses such a short lease now and then by itself.
  await when(() => of('lost').length === of('leading').length)
  const { fresh: then } = await pool.stock()
  const terms = of('leading').length
  await redis.data.pexpire(redis.keys.poolRefiller(APPID), 400)
  await nth('leading', terms + 1)
  await looks(1)
  // What was being stored at that moment is four at most.
  expect(of('looked').at(-1)?.stock.fresh).toBeLessThanOrEqual(then + 4)
})

test('[P21] the low-water mark follows demand between the minimum and the maximum', async () => {
  const { startRefill } = await openCluster()
  const { redis, pool, nth, of, looks } = await startRefill({ min: 10, max: 80 })
  await fresh(pool, 10)
  expect((await nth('looked')).lowWater).toBe(10)
  await redis.data.set(redis.keys.poolDemand(APPID, presentMinute()), 6, 'EX', 600)
  await fresh(pool, 30)
  await redis.data.set(redis.keys.poolDemand(APPID, presentMinute()), 600, 'EX', 600)
  await fresh(pool, 80)
  await looks(2)
  expect(of('looked').at(-1)).toMatchObject({ demand: 600, lowWater: 80 })
  expect((await pool.stock()).fresh).toBe(80)
})

test('[P21] [P25] at the maximum, rested codes and their pictures go once fresh ones are there', async () => {
  const { folder, startRefill } = await openCluster(1)
  const { pool, nth, of, looks } = await startRefill({ min: 20, max: 30, unavailable: [10, 10] })
  await fresh(pool, 20)
  await simulator.fault({ path: codePath, kind: 'errcode', errcode: 45009 })
  await Promise.all(Array.from({ length: 20 }, () => pool.lease(drawTicketId(), 1)))
  // While WeChat is down nothing is taken out: the rested codes are all there is.
  await until(
    () => pool.stock(),
    (stock) => stock.rested === 20,
  )
  await nth('failed', of('failed').length + 2)
  await looks(2)
  expect(await pool.stock()).toEqual({ fresh: 0, rested: 20, busy: 0 })
  await simulator.clearFaults()
  await fresh(pool, 20)
  await nth('retired')
  expect(of('retired')).toEqual([{ kind: 'retired', codes: 10 }])
  expect(await pool.stock()).toEqual({ fresh: 20, rested: 10, busy: 0 })
  expect((await picturesIn(folder)).toSorted()).toEqual((await listOf(pool)).map(({ image }) => image.key).toSorted())
})

test('[P21] a nudge starts a look at once', async () => {
  const { startRefill } = await openCluster()
  const { pool, refill, nth, of } = await startRefill({ min: 5, everyMs: 60_000, leaseMs: HOUR_MS })
  await nth('filled')
  await pool.lease(drawTicketId(), 60_000)
  refill.nudge()
  // The next look by itself is a minute away.
  await nth('filled', 2)
  expect(of('filled').map(({ codes }) => codes)).toEqual([5, 1])
  expect((await pool.stock()).fresh).toBe(5)
})

test('[P22] a picture is stored before its code is known', async () => {
  const { folder, startRefill } = await openCluster()
  const folderStore = createFolderStore(folder)
  const known: number[] = []
  let pool: Pool | undefined
  const pictures: CodeStore = {
    ...folderStore,
    put: async (key, bytes, type) => {
      await folderStore.put(key, bytes, type)
      known.push((await (pool ? listOf(pool) : [])).filter(({ image }) => image.key === key).length)
    },
  }
  const node = await startRefill({ min: 12 }, { pictures })
  pool = node.pool
  await fresh(pool, 12)
  expect(known).toEqual(Array(12).fill(0))
  expect(await auditPool(pool, node.store)).toEqual({
    codes: 12,
    missing: [],
    damaged: [],
    stray: [],
    repaired: false,
  })
})

// People's codes count in the quota.
test('[P23] the job stops at its quota of the minute, and people are not refused', async () => {
  const { startRefill } = await openCluster()
  const minute = presentMinute()
  const node = await startRefill({ min: 1 })
  await fresh(node.pool, 1)
  for (let i = 0; i < 5; i++) await node.wechat.codeImage(scene)
  await node.refill.close()
  const limited = await startRefill({ min: 40, perMinute: 20 })
  await limited.nth('looked', 12)
  const made = (await limited.pool.stock()).fresh
  // 1 and 5 before, so 14 more, if the minute was the same all along.
  if (presentMinute() === minute) expect(made).toBe(15)
  expect(await limited.wechat.codeImage(scene)).toMatchObject({ ok: true })
  expect(limited.of('failed')).toEqual([])
})

test('[P23] the job waits for the end of a minute without quota and does not look again', async () => {
  const { startRefill } = await openCluster()
  const { redis, of, nth } = await startRefill({ min: 500, perMinute: 5, everyMs: 60_000, leaseMs: HOUR_MS })
  await nth('filled')
  for (let i = 0; i < 50; i++) await redis.data.ping()
  expect(of('looked')).toHaveLength(1)
})

test.each([
  ['over quota', { kind: 'errcode', errcode: 45009 }, 45009, 4],
  ['asked too fast', { kind: 'errcode', errcode: 45011 }, 45011, 2],
  ['busy', { kind: 'errcode', errcode: -1 }, -1, 2],
  ['down', { kind: 'down' }, undefined, 2],
])('[P24] while WeChat is %s it is left alone ever longer; then the pool fills', async (...given) => {
  const [, fault, errcode, rounds] = given
  const { startRefill } = await openCluster()
  await simulator.fault({ path: codePath, ...fault })
  const clock = { now: 0 }
  const { pool, of, nth, looks } = await startRefill({ min: 10, unavailable: [100, 400] }, { now: () => clock.now })
  for (let round = 0; round < rounds; round++) {
    const before = await calls()
    const event = await nth('failed', round + 1)
    expect(event).toMatchObject({ failure: 'unavailable', ...(errcode === undefined ? {} : { errcode }) })
    const most = Math.min(100 * 2 ** round, 400)
    expect(event.retryInMs).toBeGreaterThanOrEqual(most / 2)
    expect(event.retryInMs).toBeLessThanOrEqual(most)
    const asked = await calls()
    // Four at once, and three tries each where it may pass by itself.
    expect(asked - before).toBeLessThanOrEqual(4 * 3)
    // However often it looks meanwhile: WeChat is asked again when that time is over, and not a moment
    // earlier.
    clock.now += event.retryInMs - 1
    await looks(2)
    expect(await calls()).toBe(asked)
    expect(of('failed')).toHaveLength(round + 1)
    clock.now += 1
  }
  await simulator.clearFaults()
  await fresh(pool, 10)
})

test('[P24] a misconfiguration is reported and the pause is longer', async () => {
  const { startRefill } = await openCluster()
  await simulator.fault({ path: codePath, kind: 'errcode', errcode: 41030 })
  const { nth } = await startRefill({ min: 10 })
  expect(await nth('failed')).toEqual({
    kind: 'failed',
    failure: 'misconfigured',
    errcode: 41030,
    message: expect.stringContaining('WECHAT_PAGE'),
    retryInMs: expect.any(Number),
  })
  expect((await nth('failed')).retryInMs).toBeGreaterThanOrEqual(30_000)
})

test('[P24] with an unusable store, the store and WeChat are left alone', async () => {
  const { folder, startRefill } = await openCluster()
  const before = await calls()
  const full = new Error('no space left')
  const { nth, of, looks } = await startRefill(
    { min: 10 },
    { pictures: { ...createFolderStore(folder), put: () => Promise.reject(full) }, now: () => 0 },
  )
  expect(await nth('error')).toMatchObject({ error: full })
  await looks(10)
  expect(of('error')).toHaveLength(1)
  expect((await calls()) - before).toBeLessThanOrEqual(4)
})

test('a minimum above the maximum of the pool is refused', async () => {
  const { startRefill } = await openCluster()
  await expect(startRefill({ min: 11, max: 10 })).rejects.toThrow(RangeError)
})
