import { ticketOf, type VerificationDemand } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createTickets, type Tickets } from '../src/index.ts'
import { drawTicket, hear, OWNER, value } from './fixtures.ts'

const HOME = '203.0.113.7'
const AWAY = '198.51.100.9'

/** A new ticket with a demand, of a browser at home. */
const ask = async (tickets: Tickets, demand: VerificationDemand, network = HOME) => {
  const made = { ...drawTicket(), verification: { demand, network } }
  value(await tickets.create(made))
  return { ...made, ticket: ticketOf(made.deviceCode) }
}

/** Two digits that are not these, different for each turn. */
const other = (number: string, turn = 1): string => String(((Number(number) - 10 + turn) % 90) + 10)

/** How a login is verified, on two nodes. */
export const verificationContract = (redis: RedisClients, otherRedis: RedisClients) => {
  const tickets = createTickets(redis)
  const elsewhere = createTickets(otherRedis)
  const numberOf = async (deviceCode: string) => value(await elsewhere.read(deviceCode)).number ?? 'none'

  test('[T34] the number is for the holder of the device code, while the ticket is scanned', async () => {
    const { ticket, deviceCode } = await ask(tickets, 'number')
    const heard = await hear(otherRedis.subscriber, tickets.channel(ticket))
    expect(value(await tickets.read(deviceCode))).not.toHaveProperty('number')
    const waiting = elsewhere.wait(deviceCode, 1, { timeoutMs: 600_000 })
    const scanned = value(await tickets.scan(ticket, OWNER))
    const number = await numberOf(deviceCode)
    expect(number).toMatch(/^[1-9]\d$/)
    expect(await waiting).toMatchObject({ value: { status: 'scanned', number } })
    const follow = tickets.follow(deviceCode, 1, new AbortController().signal)
    expect((await follow.next()).value).toMatchObject({ status: 'scanned', number })
    await follow.return(undefined)
    const told = [
      scanned,
      value(await elsewhere.scan(ticket, OWNER)),
      value(await tickets.peek(ticket)),
      await tickets.confirm(ticket, OWNER),
      value(await elsewhere.confirm(ticket, OWNER, { number })),
      value(await tickets.read(deviceCode)),
      value(await tickets.redeem(deviceCode)),
    ]
    for (const answer of told) expect(JSON.stringify(answer)).not.toContain('"number":')
    expect((await heard.states(3)).map((state) => state?.number)).toEqual([number, undefined, undefined])
  })

  test('[T34] numbers are drawn, and no two tickets need share one', async () => {
    const numbers = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const { ticket, deviceCode } = await ask(tickets, 'number')
        value(await tickets.scan(ticket, OWNER))
        return numberOf(deviceCode)
      }),
    )
    expect(new Set(numbers).size).toBeGreaterThan(20)
  })

  test('[T34] a ticket that is expired or rejected has no number', async () => {
    const rejected = await ask(tickets, 'number')
    value(await tickets.scan(rejected.ticket, OWNER))
    value(await tickets.reject(rejected.ticket, OWNER))
    const brief = createTickets(redis, { confirmMs: 20 })
    const expired = await ask(brief, 'number')
    value(await brief.scan(expired.ticket, OWNER))
    expect(value(await brief.wait(expired.deviceCode, 2, { timeoutMs: 600_000 })).status).toBe('expired')
    for (const { deviceCode } of [rejected, expired]) expect(await numberOf(deviceCode)).toBe('none')
  })

  test('[T35] a number confirms, and nothing less', async () => {
    const { ticket, deviceCode } = await ask(tickets, 'number')
    expect(value(await tickets.scan(ticket, OWNER)).verification).toBe('number')
    const number = await numberOf(deviceCode)
    expect(await tickets.confirm(ticket, OWNER)).toEqual({ ok: false, code: 'VERIFICATION_REQUIRED' })
    expect(await tickets.confirm(ticket, 'somebody else', { number })).toEqual({ ok: false, code: 'TICKET_TAKEN' })
    expect(value(await elsewhere.read(deviceCode))).toMatchObject({ status: 'scanned', version: 2 })
    expect(value(await elsewhere.confirm(ticket, OWNER, { number }))).toMatchObject({ status: 'confirmed', version: 3 })
    // A repeat needs no number any more.
    expect(value(await tickets.confirm(ticket, OWNER))).toMatchObject({ status: 'confirmed', version: 3 })
  })

  test('[T36] the third wrong number ends the login, and the same one counts once', async () => {
    const { ticket, deviceCode } = await ask(tickets, 'number')
    const heard = await hear(redis.subscriber, tickets.channel(ticket))
    value(await tickets.scan(ticket, OWNER))
    const number = await numberOf(deviceCode)
    const wrong = (left: number) => ({ ok: false, code: 'VERIFICATION_WRONG', left })
    expect(await tickets.confirm(ticket, OWNER, { number: other(number) })).toEqual(wrong(2))
    expect(await elsewhere.confirm(ticket, OWNER, { number: other(number) })).toEqual(wrong(2))
    expect(await tickets.confirm(ticket, OWNER, { number: other(number, 2) })).toEqual(wrong(1))
    expect(await elsewhere.confirm(ticket, OWNER, { number: other(number, 3) })).toEqual(wrong(0))
    for (const call of ['scan', 'confirm'] as const)
      expect(await tickets[call](ticket, OWNER)).toEqual({ ok: false, code: 'TICKET_SETTLED' })
    expect(await tickets.confirm(ticket, OWNER, { number })).toEqual({ ok: false, code: 'TICKET_SETTLED' })
    expect(value(await tickets.read(deviceCode))).toMatchObject({ status: 'rejected', version: 3 })
    expect((await heard.states(2)).map((state) => state?.status)).toEqual(['scanned', 'rejected'])
  })

  test('[T37] a phone of another network neither scans nor confirms', async () => {
    const { ticket, deviceCode } = await ask(tickets, 'network')
    const required = { ok: false, code: 'VERIFICATION_REQUIRED' }
    for (const network of [AWAY, '', undefined])
      expect(await tickets.scan(ticket, 'a relay', '', network === undefined ? {} : { network })).toEqual(required)
    expect(value(await elsewhere.record(deviceCode))).toEqual({
      state: expect.objectContaining({ status: 'pending', version: 1 }),
      authorization: expect.any(String),
    })
    // Nobody owns it yet, and whoever comes back in the right network may scan.
    expect(value(await tickets.scan(ticket, OWNER, '', { network: HOME })).verification).toBe('network')
    expect(await elsewhere.confirm(ticket, OWNER, { network: AWAY })).toEqual(required)
    expect(value(await tickets.read(deviceCode))).toMatchObject({ status: 'scanned', version: 2 })
    expect(value(await elsewhere.confirm(ticket, OWNER, { network: HOME })).status).toBe('confirmed')
    const nameless = await ask(tickets, 'network', '')
    expect(await tickets.scan(nameless.ticket, OWNER, '', { network: '' })).toEqual(required)
  })

  test('[T38] in other networks the number takes the place of the network, for good', async () => {
    const near = await ask(tickets, 'network-or-number')
    const far = await ask(tickets, 'network-or-number')
    expect(value(await tickets.scan(near.ticket, OWNER, '', { network: HOME })).verification).toBe('network')
    expect(value(await tickets.scan(far.ticket, OWNER, '', { network: AWAY })).verification).toBe('number')
    expect(value(await elsewhere.scan(near.ticket, OWNER, '', { network: AWAY })).verification).toBe('network')
    expect(value(await elsewhere.scan(far.ticket, OWNER, '', { network: HOME })).verification).toBe('number')
    expect(await numberOf(near.deviceCode)).toBe('none')
    const required = { ok: false, code: 'VERIFICATION_REQUIRED' }
    expect(await tickets.confirm(near.ticket, OWNER, { network: AWAY })).toEqual(required)
    expect(await tickets.confirm(far.ticket, OWNER, { network: HOME })).toEqual(required)
    const number = await numberOf(far.deviceCode)
    expect(value(await tickets.confirm(near.ticket, OWNER, { network: HOME })).status).toBe('confirmed')
    expect(value(await tickets.confirm(far.ticket, OWNER, { network: AWAY, number })).status).toBe('confirmed')
  })

  test('[T39] whoever redeems is told how the login was verified', async () => {
    for (const demand of ['tap', 'number', 'network'] as const) {
      const { ticket, deviceCode } = await ask(tickets, demand)
      expect(value(await tickets.scan(ticket, OWNER, '', { network: HOME })).verification).toBe(demand)
      const number = await numberOf(deviceCode)
      value(await elsewhere.confirm(ticket, OWNER, { network: HOME, number }))
      const mode = demand === 'tap' ? undefined : demand
      expect(value(await elsewhere.record(deviceCode)).mode).toBe(mode)
      expect(value(await tickets.redeem(deviceCode)).mode).toBe(mode)
    }
  })

  test('[T40] of numbers at once, only the right one confirms, and four wrong ones end it once', async () => {
    for (let round = 0; round < 10; round++) {
      const { ticket, deviceCode } = await ask(tickets, 'number')
      value(await tickets.scan(ticket, OWNER))
      const number = await numberOf(deviceCode)
      const tries = [1, 2, 3, 4].map((turn) => other(number, turn))
      if (round % 2) tries.splice(round % 4, 0, number)
      const answers = await Promise.all(
        tries.map((tried, i) => (i % 2 ? tickets : elsewhere).confirm(ticket, OWNER, { number: tried })),
      )
      const { status } = value(await tickets.read(deviceCode))
      expect(status).toBe(answers.some(({ ok }) => ok) ? 'confirmed' : 'rejected')
      for (const [i, answer] of answers.entries())
        if (answer.ok && status !== 'confirmed') expect(tries[i]).toBe(number)
      const wrong = answers.flatMap((answer) => (answer.ok || answer.left === undefined ? [] : [answer.left]))
      expect(new Set(wrong).size).toBe(wrong.length)
    }
  })
}
