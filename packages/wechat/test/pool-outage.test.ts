import { RedisUnavailable, whenReady } from '@saoma/redis'
import { startRedis } from '@saoma/testing'
import { createPool } from '../src/index.ts'
import { APPID, addCodes, drawScene, drawTicketId, imageOf, listOf, openRedis } from './pool-fixtures.ts'

test('[P18] while Redis is away every call is refused; afterwards leases go on', async () => {
  const server = await startRedis({ appendonly: true })
  const redis = await openRedis(server.url)
  const pool = createPool(redis, { appid: APPID, quarantineMs: 60_000 })
  await addCodes(pool, 2)
  const ticket = drawTicketId()
  const lease = await pool.lease(ticket, 60_000)
  await server.kill('SIGKILL')
  const calls = [
    () => pool.lease(ticket, 1_000),
    () => pool.resolve(lease?.scene ?? ''),
    () => pool.count(),
    () => pool.demand(),
    () => pool.stock(),
    () => pool.add(drawScene(), imageOf('a')),
    () => listOf(pool),
    () => pool.retire([lease?.scene ?? '']),
  ]
  for (const call of calls) await expect(call()).rejects.toThrow(RedisUnavailable)
  await server.restart()
  await whenReady(redis.data, 15_000)
  expect(await pool.lease(ticket, 60_000)).toEqual(lease)
  expect(await pool.resolve(lease?.scene ?? '')).toEqual({ ok: true, value: ticket })
  // What was fresh was a moment of the old server: P29.
  expect(await pool.stock()).toEqual({ fresh: 0, rested: 1, busy: 1 })
})
