import { ticketOf } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createInbox, createTickets, type NewTicket } from '../src/index.ts'
import { drawTicket, OWNER, value } from './fixtures.ts'

let people = 0
const somebody = () => `person-${people++}`

/** Requests that applications send to a person's phone, on two nodes. */
export const inboxContract = (redis: RedisClients, otherRedis: RedisClients) => {
  const tickets = createTickets(redis)
  const elsewhere = createTickets(otherRedis)
  const inbox = createInbox(redis)
  const otherInbox = createInbox(otherRedis)

  const send = async (owner: string, more: Partial<NewTicket> = {}) => {
    const { request, ...made } = drawTicket()
    const sent = { ...made, request: { ...request, userCode: '', pushed: { message: 'Desk 4' } }, owner, ...more }
    const state = value(await tickets.create(sent))
    return { ...sent, ticket: ticketOf(sent.deviceCode), state }
  }

  test('[T41] a ticket with an owner is for that account alone', async () => {
    const { ticket, deviceCode, state } = await send(OWNER, { scanMs: 30_000 })
    expect(state).toEqual({ ticket, status: 'pending', version: 1, expiresIn: 30 })
    for (const act of ['scan', 'confirm', 'reject'] as const)
      expect(await elsewhere[act](ticket, 'other')).toEqual({ ok: false, code: 'TICKET_TAKEN' })
    expect(await elsewhere.confirm(ticket, OWNER)).toEqual({ ok: false, code: 'NOT_SCANNED' })
    const scanned = value(await elsewhere.scan(ticket, OWNER))
    expect(scanned).toMatchObject({
      state: { status: 'scanned', version: 2 },
      request: { pushed: { message: 'Desk 4' } },
    })
    value(await tickets.confirm(ticket, OWNER))
    expect(value(await elsewhere.redeem(deviceCode))).toMatchObject({ sub: OWNER })
  })

  test('[T41] whoever made it knows the number at once, and the phone does not', async () => {
    const { ticket, deviceCode, state } = await send(OWNER, { verification: { demand: 'number', network: '' } })
    const { number = '' } = state
    expect(number).toMatch(/^[1-9]\d$/)
    expect(JSON.stringify(value(await elsewhere.scan(ticket, OWNER)))).not.toContain('"number":')
    expect(value(await tickets.read(deviceCode)).number).toBe(number)
    expect(value(await tickets.confirm(ticket, OWNER, { number })).status).toBe('confirmed')
  })

  test('[T41] it has an owner, or a user code, or both', async () => {
    const both = { ...drawTicket(), owner: OWNER }
    value(await tickets.create(both))
    expect(await elsewhere.findByUserCode(both.request.userCode)).toEqual({
      ok: true,
      value: ticketOf(both.deviceCode),
    })
    expect(await elsewhere.scan(ticketOf(both.deviceCode), 'other')).toEqual({ ok: false, code: 'TICKET_TAKEN' })
    const { request, ...made } = drawTicket()
    await expect(tickets.create({ ...made, request: { ...request, userCode: '' } })).rejects.toThrow(TypeError)
  })

  test('[T44] a phone that has read no picture types the number that is offered', async () => {
    const offering = async () => {
      const made = { ...drawTicket(), verification: { demand: 'tap', network: '', offersNumber: true } } as const
      expect(value(await tickets.create(made))).not.toHaveProperty('number')
      return { ...made, ticket: ticketOf(made.deviceCode) }
    }
    const [asked, read] = [await offering(), await offering()]
    expect(value(await elsewhere.scan(asked.ticket, OWNER, '', { listed: true })).verification).toBe('number')
    const { number = '' } = value(await tickets.read(asked.deviceCode))
    expect(number).toMatch(/^[1-9]\d$/)
    expect(await tickets.confirm(asked.ticket, OWNER)).toMatchObject({ code: 'VERIFICATION_REQUIRED' })
    expect(value(await elsewhere.confirm(asked.ticket, OWNER, { number })).status).toBe('confirmed')
    expect(value(await tickets.record(asked.deviceCode)).mode).toBe('number')

    expect(value(await elsewhere.scan(read.ticket, OWNER)).verification).toBe('tap')
    expect(value(await tickets.read(read.deviceCode))).not.toHaveProperty('number')
    // It was read, whatever the phone says now.
    expect(value(await elsewhere.scan(read.ticket, OWNER, '', { listed: true })).verification).toBe('tap')
    expect(value(await tickets.confirm(read.ticket, OWNER)).status).toBe('confirmed')
    // Without a number there is none to type.
    const plain = drawTicket()
    value(await tickets.create(plain))
    expect(value(await tickets.scan(ticketOf(plain.deviceCode), OWNER, '', { listed: true })).verification).toBe('tap')
  })

  test('[T42] three requests in ten minutes, of many that come at once', async () => {
    const sub = somebody()
    const asked = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? inbox : otherInbox).ask(sub, `ticket-${i}`, 'desk')),
    )
    expect(asked.filter((wait) => wait === undefined)).toHaveLength(3)
    for (const wait of asked.filter((wait) => wait !== undefined)) expect(wait).toBeGreaterThan(590_000)
    const [one] = await inbox.list(sub)
    expect(await otherInbox.has(sub, one?.ticket ?? '')).toBe(true)
    expect(await otherInbox.giveBack(sub, one?.ticket ?? '')).toBe(true)
    expect(await inbox.giveBack(sub, one?.ticket ?? '')).toBe(false)
    expect(await inbox.ask(sub, 'one more', 'desk')).toBeUndefined()
    expect(await inbox.ask(sub, 'too many', 'desk')).toBeGreaterThan(0)
    // Ten minutes later.
    const at = redis.keys.requests(sub)
    for (const { ticket } of await inbox.list(sub)) await redis.data.hset(at, `t:${ticket}`, '1000 desk')
    expect(await inbox.ask(sub, 'later', 'desk')).toBeUndefined()
    expect(await inbox.list(sub)).toHaveLength(1)
  })

  test('[T42] a blocked application gets no place for a day, others do', async () => {
    const sub = somebody()
    await inbox.block(sub, 'desk')
    expect(await otherInbox.ask(sub, 'a', 'desk')).toBeGreaterThan(86_000_000)
    expect(await otherInbox.ask(sub, 'b', 'till')).toBeUndefined()
    expect(await inbox.list(sub)).toEqual([{ ticket: 'b', client: 'till', askedAt: expect.any(Number) }])
    // The block outlives the requests.
    expect(await redis.data.pttl(redis.keys.requests(sub))).toBeGreaterThan(86_000_000)
    await redis.data.hset(redis.keys.requests(sub), 'b:desk', '1000')
    expect(await inbox.ask(sub, 'c', 'desk')).toBeUndefined()
  })

  test('[T43] an erased person has no requests, and no tickets of them', async () => {
    const sub = somebody()
    const { ticket } = await send(sub)
    await inbox.ask(sub, ticket, 'desk')
    await inbox.block(sub, 'till')
    await otherInbox.erase(sub)
    expect(await redis.data.exists(redis.keys.requests(sub))).toBe(0)
    expect(await tickets.peek(ticket)).toEqual({ ok: false, code: 'TICKET_NOT_FOUND' })
  })
}
