import { until } from '@saoma/testing'
import type { Lease, Pool } from '../src/index.ts'
import { createUpkeep } from '../src/pool/upkeep.ts'
import {
  APPID,
  addCodes,
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

/** The rules of SPEC.md about leases, on every topology. */
export const leaseContract = (url: string) => {
  test('[P1] 200 tickets over 60 codes on two nodes get 60 leases, and no code has two', async () => {
    const { pool, elsewhere } = await openPool(url)
    const scenes = await addCodes(pool, 60)
    const leases = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 ? pool : elsewhere).lease(drawTicketId(), LONG)),
    )
    const leased = leases.filter((lease) => lease !== undefined).map(({ scene }) => scene)
    expect(leased).toHaveLength(60)
    expect(leased.toSorted()).toEqual(scenes.toSorted())
  })

  test('[P1] no code has two leases while leases end and begin all the time', async () => {
    const { redis, pool, elsewhere } = await openPool(url, { quarantineMs: 20, leases: 60 })
    await addCodes(pool, 10)
    const [leaseMs, quarantineMs] = [40, 20]
    /** When leases ended, by the record in Redis, for each code. */
    const ends = new Map<string, number[]>()
    const visit = async (node: Pool) => {
      const ticket = drawTicketId()
      const lease = await node.lease(ticket, leaseMs)
      if (!lease) return
      const key = redis.keys.poolCode(APPID, lease.scene)
      const [holder, until] = await redis.data.hmget(key, 'ticket', 'leasedUntil')
      // On a slow machine the code may have gone on to another ticket by now.
      if (holder === ticket) ends.set(lease.scene, [...(ends.get(lease.scene) ?? []), Number(until)])
    }
    await until(
      async () => {
        await Promise.all(Array.from({ length: 20 }, (_, i) => visit(i % 2 ? pool : elsewhere)))
        return [...ends.values()].flat().length
      },
      (count) => count >= 60,
    )
    const gaps = [...ends.values()].flatMap((moments) =>
      moments.toSorted((a, b) => a - b).flatMap((end, i, all) => (i > 0 ? [end - (all[i - 1] ?? 0)] : [])),
    )
    expect(gaps.length).toBeGreaterThan(20)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(leaseMs + quarantineMs)
  })

  test('[P2] a ticket that asks again, anywhere and at once, gets the same code', async () => {
    const { pool, elsewhere } = await openPool(url)
    await addCodes(pool, 5)
    const ticket = drawTicketId()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? pool : elsewhere).lease(ticket, LONG)),
    )
    expect(new Set(answers.map((lease) => JSON.stringify(lease))).size).toBe(1)
    expect(await pool.stock()).toEqual({ fresh: 4, rested: 0, busy: 1 })
  })

  test('[P2] asking again does not prolong the lease, and after its end the ticket has none', async () => {
    const { pool } = await openPool(url)
    const [scene = ''] = await addCodes(pool, 1)
    const ticket = drawTicketId()
    await leaseOf(pool, ticket, 150)
    await pool.lease(ticket, LONG)
    await until(
      () => pool.resolve(scene),
      ({ ok }) => !ok,
    )
    expect(await pool.lease(ticket, LONG)).toBeUndefined()
  })

  test('[P3] fresh codes go first, then rested ones, then nothing', async () => {
    const { pool } = await openPool(url, { quarantineMs: 1 })
    const [worn] = await addCodes(pool, 1)
    await spend(pool)
    await untilRested(pool)
    const fresh = await addCodes(pool, 3)
    const order = [await leaseOf(pool), await leaseOf(pool), await leaseOf(pool), await leaseOf(pool)]
    expect(
      order
        .slice(0, 3)
        .map(({ scene, epoch }) => [scene, epoch])
        .toSorted(),
    ).toEqual(fresh.map((scene) => [scene, 1]).toSorted())
    expect(order[3]).toMatchObject({ scene: worn, epoch: 2 })
    expect(await pool.lease(drawTicketId(), LONG)).toBeUndefined()
    expect(await pool.stock()).toEqual({ fresh: 0, rested: 0, busy: 4 })
  })

  test('[P3] codes are leased at random and not in the order of their making', async () => {
    const { pool } = await openPool(url)
    const scenes = await addCodes(pool, 40)
    const leased: string[] = []
    for (const _ of scenes) leased.push((await leaseOf(pool)).scene)
    expect(leased).not.toEqual(scenes)
    expect(leased.toSorted()).toEqual(scenes.toSorted())
  })

  test('[P4] a code has another two-digit number in each lease except the first', async () => {
    const { pool } = await openPool(url, { quarantineMs: 1, leases: 60 })
    const [scene] = await addCodes(pool, 1)
    const leases: Lease[] = []
    for (let i = 0; i < 60; i++) {
      leases.push(await spend(pool))
      await until(
        () => listOf(pool),
        ([code]) => code?.status !== 'leased' && (code?.status === 'rested' || i === 59),
      )
    }
    expect(leases.map(({ epoch }) => epoch)).toEqual(leases.map((_, i) => i + 1))
    expect(leases[0]).toEqual({ scene, epoch: 1, image: imageOf(scene ?? '') })
    const checks = leases.slice(1).map(({ check }) => check)
    for (const check of checks) expect(check).toMatch(/^[1-9]\d$/)
    expect(new Set(checks).size).toBe(59)
  })

  test('[P4] numbers are drawn from those left, by the caller’s randomness', async () => {
    const { pool, again } = await openPool(url, { quarantineMs: 1, random: () => 0 })
    await addCodes(pool, 1)
    expect((await takeTo(pool, 2, drawTicketId())).check).toBe('10')
    const other = await openPool(url, { quarantineMs: 1, random: () => 0 })
    await addCodes(other.pool, 1)
    expect((await takeTo(other.pool, 3, drawTicketId())).check).toBe('11')
    expect(() => again({ leases: 61 })).toThrow(RangeError)
    expect(() => again({ leases: 0 })).toThrow(RangeError)
    expect(() => again({ quarantineMs: 0 })).toThrow(RangeError)
  })

  test('[P29] after a change of the Redis server fresh codes count as rested; new ones do not', async () => {
    const { redis, pool, elsewhere } = await openPool(url)
    await addCodes(pool, 3)
    expect((await leaseOf(pool)).check).toBeUndefined()
    await redis.data.set(redis.keys.poolRun(APPID), 'the server before')
    expect(await elsewhere.stock()).toEqual({ fresh: 0, rested: 2, busy: 1 })
    expect((await leaseOf(pool)).check).toMatch(/^[1-9]\d$/)

    await redis.data.set(redis.keys.poolRun(APPID), 'the server before')
    expect((await leaseOf(elsewhere)).check).toMatch(/^[1-9]\d$/)
    const [scene] = await addCodes(pool, 1)
    expect((await listOf(pool)).find((code) => code.scene === scene)).toMatchObject({ status: 'fresh' })
    expect(await leaseOf(pool)).toEqual({ scene, epoch: 1, image: imageOf(scene ?? '') })
  })

  test('[P5] a code is not leased during its quarantine and may be afterwards', async () => {
    const { pool, again } = await openPool(url)
    await addCodes(pool, 1)
    await spend(pool)
    expect((await listOf(pool))[0]).toMatchObject({ status: 'quarantined', epoch: 1 })
    expect(await pool.lease(drawTicketId(), LONG)).toBeUndefined()

    const brief = again({ quarantineMs: 30 })
    await addCodes(brief, 1)
    const { scene } = await spend(brief)
    const ticket = drawTicketId()
    const lease = await until(
      () => brief.lease(ticket, LONG),
      (given) => given !== undefined,
    )
    expect(lease).toMatchObject({ scene, epoch: 2 })
  })

  test('[P6] a code is never leased after its last lease and is removed after the quarantine', async () => {
    const { redis, pool, again } = await openPool(url)
    const removed: string[] = []
    const upkeep = createUpkeep({ redis, pool, store: { remove: async (keys) => void removed.push(...keys) } }, APPID)
    const careful = again({ leases: 1 })
    const [quarantined] = await addCodes(careful, 1)
    await spend(careful)
    expect(await careful.stock()).toEqual({ fresh: 0, rested: 0, busy: 1 })
    expect(await upkeep.cull(100)).toBe(0)

    const hasty = again({ leases: 2, quarantineMs: 1 })
    const [spent = ''] = await addCodes(hasty, 1)
    await spend(hasty)
    await until(
      () => hasty.stock(),
      ({ rested }) => rested === 1,
    )
    expect(await upkeep.cull(100)).toBe(0)
    await spend(hasty)
    await until(
      () => hasty.stock(),
      ({ busy }) => busy === 1,
    )
    expect(await hasty.lease(drawTicketId(), LONG)).toBeUndefined()
    expect(await upkeep.cull(100)).toBe(1)
    expect(removed).toEqual([imageOf(spent).key])
    expect((await listOf(hasty)).map(({ scene }) => scene)).toEqual([quarantined])
  })

  test('[P6] a rested code with more leases than now allowed is not leased', async () => {
    const { redis, pool, again } = await openPool(url, { quarantineMs: 1 })
    await addCodes(pool, 1)
    await spend(pool)
    await untilRested(pool)
    expect(await again({ leases: 1 }).lease(drawTicketId(), LONG)).toBeUndefined()
    expect(await pool.stock()).toEqual({ fresh: 0, rested: 0, busy: 0 })
    expect(await redis.data.pttl(redis.keys.poolBusy(APPID))).toBeGreaterThan(0)
  })

  // It takes those that have had as many leases as are now allowed.
  test('[P6] [P11] if fewer leases are allowed, the next renewal takes codes from the reserve', async () => {
    const { redis, pool, again } = await openPool(url, { quarantineMs: 1 })
    await addCodes(pool, 1)
    await spend(pool)
    await untilRested(pool)
    const [unseen] = await addCodes(pool, 1)
    const store = { remove: async () => {} }
    await createUpkeep({ redis, pool, store }, APPID).renew()
    expect(await pool.stock()).toEqual({ fresh: 1, rested: 1, busy: 0 })
    const upkeep = createUpkeep({ redis, pool: again({ leases: 1 }), store }, APPID)
    await upkeep.renew()
    expect(await pool.stock()).toEqual({ fresh: 1, rested: 0, busy: 0 })
    expect(await upkeep.cull(100)).toBe(1)
    expect((await listOf(pool)).map(({ scene }) => scene)).toEqual([unseen])
  })
}
