import { ticketOf } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createTickets } from '../src/index.ts'
import { drawDeviceCode, drawTicket, LONG_MS, make, OWNER, value } from './fixtures.ts'

/** Rules about what stands around a login: the token endpoint's polls and the picture. */
export const pollContract = (redis: RedisClients, otherRedis: RedisClients) => {
  const tickets = createTickets(redis)
  const elsewhere = createTickets(otherRedis)

  test('[T26] a poll that comes too soon lengthens the interval on every node', async () => {
    const { ticket, deviceCode } = await make.pending(tickets)
    const stored = () => redis.data.hmget(redis.keys.ticket(ticket), 'polledAt', 'interval')
    expect(await tickets.poll(deviceCode)).toBe(true)
    const [polledAt] = await stored()
    expect(await elsewhere.poll(deviceCode)).toBe(false)
    expect(await stored()).toEqual([polledAt, '10000'])
    expect(await tickets.poll(deviceCode)).toBe(false)
    expect(await stored()).toEqual([polledAt, '15000'])

    await redis.data.hincrby(redis.keys.ticket(ticket), 'polledAt', -15_000)
    expect(await elsewhere.poll(deviceCode)).toBe(true)
    expect(value(await tickets.read(deviceCode))).toMatchObject({ status: 'pending', version: 1 })
  })

  test('[T26] of 50 first polls at once, one is in time', async () => {
    const { deviceCode } = await make.scanned(tickets)
    const polls = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? tickets : elsewhere).poll(deviceCode)),
    )
    expect(polls.filter(Boolean)).toHaveLength(1)
  })

  test('[T26] a poll of an unknown ticket leaves nothing behind', async () => {
    const deviceCode = drawDeviceCode()
    expect(await tickets.poll(deviceCode)).toBe(true)
    expect(await redis.data.exists(redis.keys.ticket(deviceCode.slice(0, 22)))).toBe(0)
  })

  test('[T27] a ticket is pending only while it can be scanned', async () => {
    const { ticket } = await make.pending(tickets)
    expect(await elsewhere.isPending(ticket)).toBe(true)
    for (const status of ['scanned', 'confirmed', 'rejected', 'redeemed'] as const)
      expect(await tickets.isPending((await make[status](tickets)).ticket)).toBe(false)
    const expired = await make.pending(createTickets(redis, { scanMs: 20 }))
    await tickets.wait(expired.deviceCode, 1, { timeoutMs: LONG_MS })
    expect(await tickets.isPending(expired.ticket)).toBe(false)
    expect(await tickets.isPending('unknown')).toBe(false)
  })
  test('[T29] peek tells the state of a ticket and whose it is, without a device code', async () => {
    const pending = await make.pending(tickets)
    expect(await elsewhere.peek(pending.ticket)).toMatchObject({ ok: true, value: { state: { status: 'pending' } } })
    const { ticket } = await make.scanned(tickets)
    const peeked = await elsewhere.peek(ticket)
    expect(peeked).toMatchObject({ ok: true, value: { state: { ticket, status: 'scanned' }, sub: OWNER } })
    expect(Object.keys(peeked.ok ? peeked.value : {}).sort()).toEqual(['state', 'sub'])
    for (const unknown of ['unknown', 'x'.repeat(22)])
      expect(await tickets.peek(unknown)).toEqual({ ok: false, code: 'TICKET_NOT_FOUND' })
  })

  test('[T30] a ticket with terms is confirmed only by a yes that repeats them', async () => {
    const drawn = { ...drawTicket(), terms: 'openid profile' }
    const ticket = ticketOf(drawn.deviceCode)
    value(await tickets.create(drawn))
    value(await tickets.scan(ticket, OWNER))
    const required = { ok: false, code: 'CONSENT_REQUIRED' }
    for (const terms of [undefined, '', 'openid', 'openid profile phone', 'profile openid'])
      expect(await elsewhere.confirm(ticket, OWNER, terms === undefined ? {} : { terms })).toEqual(required)
    expect(value(await tickets.read(drawn.deviceCode))).toMatchObject({ status: 'scanned', version: 2 })
    expect(value(await elsewhere.confirm(ticket, OWNER, { terms: drawn.terms }))).toMatchObject({ status: 'confirmed' })
    // A repeat, whose first answer was lost.
    expect(value(await tickets.confirm(ticket, OWNER, { terms: drawn.terms }))).toMatchObject({
      status: 'confirmed',
      version: 3,
    })
    const plain = await make.scanned(tickets)
    expect(value(await tickets.confirm(plain.ticket, OWNER, { terms: 'openid' }))).toMatchObject({
      status: 'confirmed',
    })
  })

  test('[T31] requestOf tells what a phone would be told, and changes nothing', async () => {
    const application = { party: 'third' as const, scopes: ['openid'] }
    const { request, ...drawn } = drawTicket()
    const asked = { ...request, application }
    value(await tickets.create({ ...drawn, request: asked }))
    const ticket = ticketOf(drawn.deviceCode)
    expect(await elsewhere.requestOf(ticket)).toEqual({ ok: true, value: asked })
    expect(value(await tickets.read(drawn.deviceCode))).toMatchObject({ status: 'pending', version: 1 })
    expect(value(await tickets.scan(ticket, OWNER)).request).toMatchObject(asked)
    for (const unknown of ['unknown', 'x'.repeat(22)])
      expect(await tickets.requestOf(unknown)).toEqual({ ok: false, code: 'TICKET_NOT_FOUND' })
  })
}
