import type { Code } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createTickets } from '../src/index.ts'
import { make, OWNER, value } from './fixtures.ts'

/** Rules of the last step: what is confirmed is taken once, and is gone after that. */
export const redeemContract = (redis: RedisClients, otherRedis: RedisClients) => {
  const tickets = createTickets(redis)
  const elsewhere = createTickets(otherRedis)
  const refusal = (code: Code) => ({ ok: false, code })
  const stored = (ticket: string) => redis.data.hgetall(redis.keys.ticket(ticket))

  test('[T17] a confirmed ticket is redeemed once, even by 50 at once', async () => {
    const { ticket, deviceCode, authorization } = await make.confirmed(tickets)
    const { decidedAt } = await stored(ticket)
    const redeems = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? tickets : elsewhere).redeem(deviceCode)),
    )
    const [won, ...more] = redeems.filter(({ ok }) => ok)
    expect(more).toHaveLength(0)
    expect(redeems.filter((redeem) => !redeem.ok && redeem.code === 'TICKET_EXPIRED')).toHaveLength(49)
    expect(won && value(won)).toEqual({
      state: { ticket, status: 'redeemed', version: 4, expiresIn: 0 },
      sub: OWNER,
      decidedAt: Number(decidedAt),
      authorization,
    })
  })

  test('[T17] only a confirmed ticket is redeemed', async () => {
    for (const [status, code] of [
      ['pending', 'NOT_SCANNED'],
      ['scanned', 'NOT_SCANNED'],
      ['rejected', 'TICKET_SETTLED'],
    ] as const)
      expect(await tickets.redeem((await make[status](tickets)).deviceCode)).toEqual(refusal(code))
  })

  test('[T18] a redeemed ticket is gone for everybody', async () => {
    const { deviceCode } = await make.redeemed(tickets)
    for (const call of ['read', 'record', 'redeem'] as const)
      expect(await elsewhere[call](deviceCode)).toEqual(refusal('TICKET_EXPIRED'))
    expect(await elsewhere.wait(deviceCode, 0, { timeoutMs: 1_000 })).toEqual(refusal('TICKET_EXPIRED'))
  })
}
