import { until } from '@saoma/testing'
import { createUpkeep } from '../src/pool/upkeep.ts'
import { leaseContract } from './lease-contract.ts'
import {
  APPID,
  addCodes,
  drawScene,
  drawTicketId,
  imageOf,
  LONG,
  leaseOf,
  listOf,
  openPool,
  spend,
  takeTo,
  untilRested,
} from './pool-fixtures.ts'

/**
 * The rules of SPEC.md that hold on every topology. Two nodes take part, so that none holds by being one
 * process.
 */
export const poolContract = (url: string) => {
  leaseContract(url)
  const refusal = (code: string) => ({ ok: false, code })
  const found = (ticket: string) => ({ ok: true, value: ticket })

  test('[P7] a code in its first lease leads to its ticket, whatever number is given', async () => {
    const { pool, elsewhere } = await openPool(url)
    await addCodes(pool, 1)
    const ticket = drawTicketId()
    const { scene } = await leaseOf(pool, ticket)
    expect(await elsewhere.resolve(scene)).toEqual(found(ticket))
    expect(await elsewhere.resolve(scene, '10')).toEqual(found(ticket))
  })

  test('[P7] a code in a later lease needs the number of this lease; earlier ones are wrong', async () => {
    const { pool, elsewhere } = await openPool(url, { quarantineMs: 1, random: () => 0 })
    await addCodes(pool, 1)
    const ticket = drawTicketId()
    const { scene, check } = await takeTo(pool, 3, ticket)
    expect(check).toBe('11')
    expect(await elsewhere.resolve(scene, '11')).toEqual(found(ticket))
    expect(await elsewhere.resolve(scene)).toEqual(refusal('CHECK_REQUIRED'))
    expect(await elsewhere.resolve(scene, '')).toEqual(refusal('CHECK_REQUIRED'))
    for (const wrong of ['10', '12', '1', '011', '11 '])
      expect(await elsewhere.resolve(scene, wrong)).toEqual(refusal('CHECK_WRONG'))
  })

  test('[P8] a code outside a lease has no ticket, and the answer is always the same', async () => {
    const { pool } = await openPool(url, { quarantineMs: 1 })
    const [fresh = '', retired = ''] = await addCodes(pool, 2)
    await pool.retire([retired])
    const expired = refusal('TICKET_EXPIRED')
    for (const scene of [fresh, retired, drawScene(), drawTicketId(), '', 'a}b', 'x'.repeat(24), '*'.repeat(24)])
      for (const check of [undefined, '47']) expect(await pool.resolve(scene, check)).toEqual(expired)
    await pool.retire([fresh])
    await addCodes(pool, 1)
    const { scene, check } = await spend(pool)
    expect(await pool.resolve(scene, check)).toEqual(expired)
    await untilRested(pool)
    const leased = await takeTo(pool, 1, drawTicketId())
    expect(leased.epoch).toBe(2)
    await pool.retire([scene])
    expect(await pool.resolve(scene, leased.check)).toEqual(expired)
  })

  test('[P9] wrong numbers spoil nothing, and the right one works repeatedly', async () => {
    const { redis, pool } = await openPool(url, { quarantineMs: 1, random: () => 0 })
    await addCodes(pool, 1)
    const ticket = drawTicketId()
    const { scene } = await takeTo(pool, 2, ticket)
    const before = await redis.data.hgetall(redis.keys.poolCode(APPID, scene))
    await Promise.all(Array.from({ length: 89 }, (_, i) => pool.resolve(scene, `${i + 11}`)))
    expect(await Promise.all([1, 2, 3].map(() => pool.resolve(scene, '10')))).toEqual(Array(3).fill(found(ticket)))
    expect(await redis.data.hgetall(redis.keys.poolCode(APPID, scene))).toEqual(before)
  })

  test('[P10] a new code is fresh; a known scene stays as it is', async () => {
    const { pool, elsewhere } = await openPool(url)
    const [scene = ''] = await addCodes(pool, 1)
    expect(await elsewhere.stock()).toEqual({ fresh: 1, rested: 0, busy: 0 })
    const ticket = drawTicketId()
    await leaseOf(pool, ticket)
    await pool.add(scene, { ...imageOf(scene), key: 'other.jpg' })
    expect(await pool.stock()).toEqual({ fresh: 0, rested: 0, busy: 1 })
    expect((await pool.lease(ticket, LONG))?.image.key).toBe(`${scene}.jpg`)
    await expect(pool.add('short', imageOf('a'))).rejects.toThrow(TypeError)
  })

  test('[P11] the stock counts fresh, rested and busy codes, the same on every node', async () => {
    const { pool, elsewhere, again } = await openPool(url, { quarantineMs: 1 })
    await addCodes(pool, 5)
    await spend(pool)
    await again({ quarantineMs: LONG }).lease(drawTicketId(), 1)
    await until(
      () => elsewhere.stock(),
      ({ rested }) => rested === 1,
    )
    await leaseOf(pool)
    expect(await elsewhere.stock()).toEqual({ fresh: 2, rested: 1, busy: 2 })
  })

  test('[P12] the list has every code once with its state', async () => {
    const { pool } = await openPool(url)
    const scenes = await addCodes(pool, 450)
    const { scene } = await leaseOf(pool)
    const codes = await listOf(pool)
    expect(codes.map((code) => code.scene).toSorted()).toEqual(scenes.toSorted())
    expect(codes.filter(({ status }) => status !== 'fresh')).toEqual([
      { scene, status: 'leased', epoch: 1, madeAt: expect.any(Number), image: imageOf(scene) },
    ])
    for (const { madeAt } of codes) expect(Math.abs(madeAt - Date.now())).toBeLessThan(60_000)
  })

  test('[P13] a retired code is gone, and one caller gets its picture’s key', async () => {
    const { pool, elsewhere } = await openPool(url)
    const scenes = await addCodes(pool, 3)
    const ticket = drawTicketId()
    const { scene } = await leaseOf(pool, ticket)
    const given = await Promise.all([pool, elsewhere, pool].map((node) => node.retire([...scenes, drawScene()])))
    expect(given.flat().toSorted()).toEqual(scenes.map((one) => imageOf(one).key).toSorted())
    expect(await pool.resolve(scene)).toEqual(refusal('TICKET_EXPIRED'))
    expect(await listOf(pool)).toEqual([])
    const [next] = await addCodes(pool, 1)
    expect((await leaseOf(pool, ticket)).scene).toBe(next)
  })

  // It removes no code that is fresh, leased or in quarantine.
  test('[P14] culling removes rested codes above the maximum and no others', async () => {
    const { redis, pool, again } = await openPool(url, { quarantineMs: 1 })
    const removed: string[] = []
    const upkeep = createUpkeep({ redis, pool, store: { remove: async (keys) => void removed.push(...keys) } }, APPID)
    const worn = await addCodes(pool, 6)
    await Promise.all(worn.map(() => pool.lease(drawTicketId(), 1)))
    await untilRested(pool, 6)
    await addCodes(pool, 3)
    const { scene } = await leaseOf(again({ quarantineMs: LONG }))
    expect(await upkeep.cull(9)).toBe(0)
    expect(await upkeep.cull(7)).toBe(2)
    expect(await pool.stock()).toEqual({ fresh: 2, rested: 4, busy: 1 })
    expect(await upkeep.cull(1)).toBe(4)
    expect(await pool.stock()).toEqual({ fresh: 2, rested: 0, busy: 1 })
    expect(removed.toSorted()).toEqual(worn.map((one) => imageOf(one).key).toSorted())
    expect(await pool.resolve(scene)).toMatchObject({ ok: true })
  })

  test('[P15] demand is the count of all nodes in the busiest of the last ten minutes', async () => {
    const { redis, pool, elsewhere } = await openPool(url)
    expect(await pool.demand()).toBe(0)
    const minute = Math.floor(Date.now() / 60_000)
    await redis.data.set(redis.keys.poolDemand(APPID, minute - 12), 1_000, 'EX', 60)
    await redis.data.set(redis.keys.poolDemand(APPID, minute - 8), 7, 'EX', 60)
    expect(await pool.demand()).toBe(7)
    await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? pool : elsewhere).count()))
    const [now = 0, before = 0] = (
      await redis.data.mget([0, 1].map((ago) => redis.keys.poolDemand(APPID, Math.floor(Date.now() / 60_000) - ago)))
    ).map(Number)
    expect(now + before).toBe(20)
    expect(await pool.demand()).toBe(Math.max(now, before, 7))
  })

  test('[P16] every key of the pool expires, and renewing gives all of them 30 days again', async () => {
    const { redis, pool, keys } = await openPool(url, { quarantineMs: 1 })
    const upkeep = createUpkeep({ redis, pool, store: { remove: async () => {} } }, APPID)
    await addCodes(pool, 3)
    await spend(pool)
    await untilRested(pool)
    await pool.count()
    await leaseOf(pool)
    // Not those that the clients of Redis write for themselves.
    const names = (await keys()).filter((name) => !/:(beat|mark|trial):/.test(name))
    expect(names.length).toBeGreaterThanOrEqual(8)
    for (const name of names) expect([name, await redis.data.pttl(name)]).toEqual([name, expect.any(Number)])
    for (const name of names) expect(await redis.data.pttl(name)).toBeGreaterThan(0)

    const lasting = names.filter((name) => !/:(lease|demand):/.test(name))
    for (const name of lasting) await redis.data.pexpire(name, 60_000)
    await upkeep.renew()
    for (const name of lasting) expect(await redis.data.pttl(name)).toBeGreaterThan(29 * 24 * 3_600_000)
  })

  test('[P16] a place that outlives its codes gives none of them away', async () => {
    const { redis, pool } = await openPool(url)
    const [gone = '', ...rest] = await addCodes(pool, 3)
    await redis.data.del(redis.keys.poolCode(APPID, gone))
    const leased = [await pool.lease(drawTicketId(), LONG), await pool.lease(drawTicketId(), LONG)]
    expect(leased.map((lease) => lease?.scene).toSorted()).toEqual(rest.toSorted())
    expect(await pool.lease(drawTicketId(), LONG)).toBeUndefined()
  })

  test('[P17] lease and quarantine follow the clock of Redis', async () => {
    const { redis, pool } = await openPool(url)
    const now = async () => {
      const time = (await redis.data.eval("return redis.call('TIME')", 1, redis.keys.poolFresh(APPID))) as string[]
      return Math.floor(Number(time[0]) * 1000 + Number(time[1]) / 1000)
    }
    await addCodes(pool, 1)
    const before = await now()
    const { scene } = await leaseOf(pool, drawTicketId(), 5_000)
    const after = await now()
    const [until = 0, freeAt = 0] = (
      await redis.data.hmget(redis.keys.poolCode(APPID, scene), 'leasedUntil', 'freeAt')
    ).map(Number)
    expect(until - 5_000).toBeGreaterThanOrEqual(before)
    expect(until - 5_000).toBeLessThanOrEqual(after)
    expect(freeAt - until).toBe(LONG)
  })
}
