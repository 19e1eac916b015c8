import { RedisUnavailable, whenReady } from '@saoma/redis'
import { startRedis } from '@saoma/testing'
import { createTickets } from '../src/index.ts'
import { drawTicket, make, OWNER, openRedis, value } from './fixtures.ts'

const READY_MS = 10_000

const server = await startRedis({ appendonly: true })
const redis = await openRedis(server.url)
const tickets = createTickets(redis)

test('[T25] while Redis is away calls are refused without effect; then the ticket goes on', async () => {
  const { ticket, deviceCode, request } = await make.scanned(tickets)
  // A browser that asks again after each refusal, as the long poll does.
  const confirmed = (async () => {
    for (;;) {
      try {
        return await tickets.wait(deviceCode, 2, { timeoutMs: 20_000 })
      } catch (error) {
        expect(error).toBeInstanceOf(RedisUnavailable)
        await whenReady(redis.data, READY_MS)
      }
    }
  })()
  await server.kill('SIGKILL')
  const calls = [
    () => tickets.create(drawTicket()),
    () => tickets.read(deviceCode),
    () => tickets.record(deviceCode),
    () => tickets.scan(ticket, OWNER),
    () => tickets.confirm(ticket, OWNER),
    () => tickets.reject(ticket, OWNER),
    () => tickets.redeem(deviceCode),
    () => tickets.findByUserCode(request.userCode),
    () => tickets.wait(deviceCode, 2, { timeoutMs: 1_000 }),
    () => tickets.follow(deviceCode, 2, AbortSignal.timeout(READY_MS)).next(),
  ]
  for (const call of calls) await expect(call()).rejects.toThrow(RedisUnavailable)

  await server.restart()
  await whenReady(redis.data, READY_MS)
  expect(value(await tickets.read(deviceCode))).toMatchObject({ status: 'scanned', version: 2 })
  value(await tickets.confirm(ticket, OWNER))
  expect(value(await confirmed)).toMatchObject({ status: 'confirmed', version: 3 })
  expect(value(await tickets.redeem(deviceCode)).sub).toBe(OWNER)
})
