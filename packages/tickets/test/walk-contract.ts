import { randomInt } from 'node:crypto'
import { type TicketState, type TicketStatus, transitions } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createTickets } from '../src/index.ts'
import { createChance, drawDeviceCode, hear, make, OWNER, value } from './fixtures.ts'

const WALKS = 60
const STEPS = 15
/** Short enough that many a walk meets its deadline. */
const SHORT = { scanMs: 40, confirmMs: 40, redeemMs: 40 }

const allowed = (from: TicketStatus, to: TicketStatus) => (transitions[from] as readonly string[]).includes(to)

/** Rules over any sequence of calls, walked at random. */
export const walkContract = (redis: RedisClients, otherRedis: RedisClients) => {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31))

  test(`[T19] random calls make only allowed transitions, and each adds one (SEED=${seed})`, async () => {
    const chance = createChance(seed)

    const walk = async (short: boolean) => {
      const tickets = createTickets(chance.below(2) ? redis : otherRedis, short ? SHORT : {})
      const { ticket, deviceCode } = await make.pending(createTickets(redis, short ? SHORT : {}))
      const calls = {
        scan: () => tickets.scan(ticket, OWNER),
        confirm: () => tickets.confirm(ticket, OWNER),
        reject: () => tickets.reject(ticket, OWNER),
        scanByOther: () => tickets.scan(ticket, 'somebody else'),
        confirmByOther: () => tickets.confirm(ticket, 'somebody else'),
        rejectByOther: () => tickets.reject(ticket, 'somebody else'),
        redeem: () => tickets.redeem(deviceCode),
        redeemWithout: () => tickets.redeem(ticket + drawDeviceCode().slice(ticket.length)),
        wait: () => tickets.wait(deviceCode, before.version, { timeoutMs: short ? 60 : 1 }),
      }
      const names = ['scan', 'confirm', 'redeem', ...Object.keys(calls)] as [
        keyof typeof calls,
        ...(keyof typeof calls)[],
      ]
      // Rejections end a walk early, so they are drawn rarely.
      const draw = () => {
        const name = chance.pick(names)
        return name.startsWith('reject') && chance.below(3) ? 'wait' : name
      }
      const stored = async () => {
        const [status, version] = await redis.data.hmget(redis.keys.ticket(ticket), 'status', 'version')
        return { status: status as TicketStatus, version: Number(version) }
      }

      let before = await stored()
      let expired: TicketState | undefined
      for (let step = 0; step < STEPS; step++) {
        await calls[draw()]()
        const after = await stored()
        if (after.version !== before.version) {
          expect(allowed(before.status, after.status)).toBe(true)
          expect(after.version).toBe(before.version + 1)
          expect(expired).toBeUndefined()
        } else {
          expect(after.status).toBe(before.status)
        }
        const read = await tickets.read(deviceCode)
        if (!read.ok) expect(after.status).toBe('redeemed')
        else if (read.value.status === 'expired') {
          expect(allowed(after.status, 'expired')).toBe(true)
          expect(read.value.version).toBe(after.version + 1)
          expired = read.value
        } else expect(read.value).toMatchObject(after)
        before = after
      }
      return expired ? 'expired' : before.status
    }

    const ends = await Promise.all(Array.from({ length: WALKS }, (_, i) => walk(i % 2 === 0)))
    // A walk that never gets anywhere would prove nothing.
    expect(new Set(ends).size).toBeGreaterThanOrEqual(3)
  })

  test('[T20] each transition is one event; reads, repeats and refusals are none', async () => {
    const tickets = createTickets(redis)
    const made = await make.pending(tickets)
    const { ticket, deviceCode } = made
    const heard = await hear(otherRedis.subscriber, tickets.channel(ticket))
    const noise = async () => {
      await tickets.read(deviceCode)
      await tickets.wait(deviceCode, 0, { timeoutMs: 1 })
      await tickets.create(made)
      await tickets.scan(ticket, 'somebody else')
      await tickets.redeem(ticket + drawDeviceCode().slice(ticket.length))
    }
    const states: TicketState[] = []
    value(await tickets.scan(ticket, OWNER))
    states.push(value(await tickets.read(deviceCode)))
    await noise()
    states.push(value(await tickets.confirm(ticket, OWNER)))
    await tickets.confirm(ticket, OWNER)
    await tickets.scan(ticket, OWNER)
    await tickets.reject(ticket, OWNER)
    states.push(value(await tickets.redeem(deviceCode)).state)
    await noise()
    await tickets.redeem(deviceCode)
    // Behind everything above on the same channel: what has not come by now was never sent.
    await redis.pub.spublish(tickets.channel(ticket), 'end')
    expect(await heard.states(4)).toEqual([...states, undefined])
  })
}
