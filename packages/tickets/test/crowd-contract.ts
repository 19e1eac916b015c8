import type { RedisClients } from '@saoma/redis'
import { createTickets } from '../src/index.ts'
import { hear, make, OWNER, value } from './fixtures.ts'

const refusal = { ok: false, code: 'TICKET_VOID' }
const taken = { ok: false, code: 'TICKET_TAKEN' }

/** A code that several people scan, and how each of them came to it. */
export const crowdContract = (redis: RedisClients, otherRedis: RedisClients) => {
  const voids: [ticket: string, owner: string | undefined][] = []
  const note = (...told: (typeof voids)[number]) => void voids.push(told)
  const tickets = createTickets(redis, {}, note)
  const elsewhere = createTickets(otherRedis, {}, note)
  const told = (ticket: string) => voids.filter(([one]) => one === ticket)

  test('[T32] the third account to scan makes a ticket void for everybody', async () => {
    const { ticket, deviceCode } = await make.scanned(tickets)
    const heard = await hear(otherRedis.subscriber, tickets.channel(ticket))
    // However often somebody scans, it is one account.
    for (const each of [tickets, elsewhere, tickets]) expect(await each.scan(ticket, 'second')).toEqual(taken)
    expect(await elsewhere.scan(ticket, OWNER)).toMatchObject({ ok: true })
    expect(value(await tickets.read(deviceCode)).status).toBe('scanned')

    expect(await elsewhere.scan(ticket, 'third')).toEqual(refusal)
    const state = { ticket, status: 'rejected', version: 3, expiresIn: 0, code: 'TICKET_VOID' }
    expect(await tickets.read(deviceCode)).toEqual({ ok: true, value: state })
    expect(await heard.states(1)).toEqual([state])
    for (const call of ['scan', 'confirm', 'reject'] as const)
      for (const who of [OWNER, 'second', 'third', 'fourth'])
        expect(await elsewhere[call](ticket, who)).toEqual(refusal)
    expect(await tickets.redeem(deviceCode)).toEqual({ ok: false, code: 'TICKET_SETTLED' })
    expect(await tickets.peek(ticket)).toMatchObject({ value: { state, sub: OWNER } })
    expect(told(ticket)).toEqual([[ticket, OWNER]])
  })

  test('[T32] of 50 phones that scan one ticket nobody gets in, and it is void once', async () => {
    const { ticket, deviceCode } = await make.pending(tickets)
    const heard = await hear(redis.subscriber, tickets.channel(ticket))
    const scans = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? tickets : elsewhere).scan(ticket, `phone-${i}`)),
    )
    const codes = scans.map((scan) => (scan.ok ? 'owner' : scan.code))
    expect(codes.filter((code) => code === 'owner')).toHaveLength(1)
    expect(codes.filter((code) => code === 'TICKET_TAKEN')).toHaveLength(1)
    expect(codes.filter((code) => code === 'TICKET_VOID')).toHaveLength(48)
    expect((await heard.states(2)).map((state) => state?.status)).toEqual(['scanned', 'rejected'])
    expect(await tickets.confirm(ticket, `phone-${codes.indexOf('owner')}`)).toEqual(refusal)
    expect((await tickets.redeem(deviceCode)).ok).toBe(false)
    expect(told(ticket)).toHaveLength(1)
  })

  test('[T32] nobody ends a login that its owner has decided, or that nobody can decide any more', async () => {
    const confirmed = await make.confirmed(tickets)
    const late = await make.scanned(createTickets(redis, { confirmMs: 1 }))
    await tickets.wait(late.deviceCode, 2, { timeoutMs: 10_000 })
    for (const { ticket } of [confirmed, late])
      for (const who of ['second', 'third', 'fourth']) expect(await elsewhere.scan(ticket, who)).toEqual(taken)
    expect(value(await tickets.redeem(confirmed.deviceCode)).sub).toBe(OWNER)
    expect(value(await tickets.read(late.deviceCode)).status).toBe('expired')
    expect([...told(confirmed.ticket), ...told(late.ticket)]).toEqual([])
  })

  test('[T32] what is known of others ends with the ticket, and does not say who they are', async () => {
    const { ticket } = await make.scanned(tickets)
    const before = await redis.data.pexpiretime(redis.keys.ticket(ticket))
    await tickets.scan(ticket, 'second')
    const fields = await redis.data.hgetall(redis.keys.ticket(ticket))
    expect(fields.others).toMatch(/^[0-9a-f]{16} $/)
    expect(await redis.data.pexpiretime(redis.keys.ticket(ticket))).toBe(before)
    const another = await make.scanned(tickets)
    await tickets.scan(another.ticket, 'second')
    expect(await redis.data.hget(redis.keys.ticket(another.ticket), 'others')).not.toBe(fields.others)
  })

  test('[T33] an account that typed the user code is told so by its scan, on any node', async () => {
    const [typed, read] = [await make.pending(tickets), await make.pending(tickets)]
    expect(await tickets.findByUserCode(typed.request.userCode, OWNER)).toEqual({ ok: true, value: typed.ticket })
    for (const each of [elsewhere, tickets])
      expect(await each.scan(typed.ticket, OWNER)).toMatchObject({ value: { opened: 'typed' } })
    // Somebody else typed it: that says nothing about this account.
    await tickets.findByUserCode(read.request.userCode, 'somebody else')
    expect(await elsewhere.scan(read.ticket, OWNER)).toMatchObject({ value: { opened: 'scanned' } })
  })

  test('[T33] nobody can keep another account from being told', async () => {
    const { ticket, request } = await make.pending(tickets)
    for (let i = 0; i < 9; i++) await elsewhere.findByUserCode(request.userCode, `accomplice-${i}`)
    await tickets.findByUserCode(request.userCode, OWNER)
    expect(await redis.data.hget(redis.keys.ticket(ticket), 'typed')).toBe('*')
    expect(await tickets.scan(ticket, OWNER)).toMatchObject({ value: { opened: 'typed' } })
  })
}
