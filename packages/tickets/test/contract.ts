import { createHash } from 'node:crypto'
import { type Code, ticketOf } from '@saoma/protocol'
import { createTickets } from '../src/index.ts'
import { crowdContract } from './crowd-contract.ts'
import { drawDeviceCode, drawTicket, hear, LONG_MS, make, OWNER, openRedis, uniquePrefix, value } from './fixtures.ts'
import { inboxContract } from './inbox-contract.ts'
import { pollContract } from './poll-contract.ts'
import { redeemContract } from './redeem-contract.ts'
import { verificationContract } from './verification-contract.ts'
import { waitContract } from './wait-contract.ts'
import { walkContract } from './walk-contract.ts'

/**
 * The rules of SPEC.md that hold on every topology. Two nodes take part, so that none holds by being one
 * process.
 */
export const ticketContract = async (url: string) => {
  const prefix = uniquePrefix()
  const [redis, otherRedis] = await Promise.all([openRedis(url, prefix), openRedis(url, prefix)])
  const { data, keys } = redis
  const tickets = createTickets(redis)
  const elsewhere = createTickets(otherRedis)
  const refusal = (code: Code) => ({ ok: false, code })
  const stored = (ticket: string) => data.hgetall(keys.ticket(ticket))

  test('[T1] a new ticket is pending, version 1, with the time to scan', async () => {
    const made = drawTicket()
    const state = { ticket: ticketOf(made.deviceCode), status: 'pending', version: 1, expiresIn: 120 }
    expect(await tickets.create(made)).toEqual({ ok: true, value: state })
    const read = { ...state, expiresIn: expect.closeTo(120, -2) }
    expect(await elsewhere.read(made.deviceCode)).toEqual({ ok: true, value: read })
  })

  test('[T1] a user code or an id in use is TICKET_TAKEN and changes nothing', async () => {
    const made = await make.scanned(tickets)
    const before = await stored(made.ticket)
    const sameCode = { ...drawTicket(), request: made.request }
    const sameTicket = { ...drawTicket(), deviceCode: made.ticket + drawDeviceCode().slice(made.ticket.length) }
    expect(await tickets.create(sameCode)).toEqual(refusal('TICKET_TAKEN'))
    expect(await tickets.create(sameTicket)).toEqual(refusal('TICKET_TAKEN'))
    expect(await stored(made.ticket)).toEqual(before)
    expect(await tickets.findByUserCode(made.request.userCode)).toEqual({ ok: true, value: made.ticket })
    expect(await tickets.findByUserCode(sameTicket.request.userCode)).toEqual(refusal('TICKET_NOT_FOUND'))
  })

  test('[T1] of 50 browsers that draw one user code, one gets it', async () => {
    const { request } = drawTicket()
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? tickets : elsewhere).create({ ...drawTicket(), request })),
    )
    expect(made.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('[T2] Redis holds the hash of the device code, never the code', async () => {
    const { deviceCode, ticket } = await make.pending(tickets)
    const fields = await stored(ticket)
    expect(fields.secret).toBe(createHash('sha256').update(deviceCode).digest('base64url'))
    expect(JSON.stringify(fields)).not.toContain(deviceCode.slice(ticket.length))
  })

  test('[T3] a wrong secret, an unknown ticket and garbage get one answer', async () => {
    const { deviceCode, ticket } = await make.confirmed(tickets)
    const last = deviceCode.at(-1) === 'A' ? 'B' : 'A'
    for (const wrong of [deviceCode.slice(0, -1) + last, drawDeviceCode(), ticket, '', '}{'])
      for (const call of ['read', 'record', 'redeem'] as const)
        expect(await tickets[call](wrong)).toEqual(refusal('TICKET_NOT_FOUND'))
    expect(await tickets.wait('x'.repeat(65), 0, { timeoutMs: 1_000 })).toEqual(refusal('TICKET_NOT_FOUND'))
    for (const call of ['scan', 'confirm', 'reject'] as const)
      for (const wrong of [drawDeviceCode().slice(0, 22), 'a}b', ''])
        expect(await tickets[call](wrong, OWNER)).toEqual(refusal('TICKET_NOT_FOUND'))
    expect(value(await tickets.redeem(deviceCode)).sub).toBe(OWNER)
  })

  test('[T4] expiresIn is the time to the deadline in seconds, rounded up', async () => {
    const { deviceCode, ticket } = await make.pending(createTickets(redis, { scanMs: 9_001 }))
    expect(value(await tickets.read(deviceCode)).expiresIn).toBeLessThanOrEqual(10)
    const [deadline, created] = await data.hmget(keys.ticket(ticket), 'deadline', 'created')
    expect(Number(deadline) - Number(created)).toBe(9_001)
    const settled = await make.rejected(tickets)
    expect(value(await tickets.read(settled.deviceCode)).expiresIn).toBe(0)
  })

  test('[T5] past the deadline a ticket reads as expired, one version on, and nothing is written', async () => {
    const short = createTickets(redis, { scanMs: 20, confirmMs: 20, redeemMs: 20 })
    for (const [status, version] of [
      ['pending', 1],
      ['scanned', 2],
      ['confirmed', 3],
    ] as const) {
      // Each step with time enough to get there, the last one short.
      const made = await make[status](
        createTickets(redis, { [{ pending: 'scanMs', scanned: 'confirmMs', confirmed: 'redeemMs' }[status]]: 20 }),
      )
      const expired = { ticket: made.ticket, status: 'expired', version: version + 1, expiresIn: 0 }
      expect(await short.wait(made.deviceCode, version, { timeoutMs: LONG_MS })).toEqual({ ok: true, value: expired })
      expect(value(await tickets.record(made.deviceCode)).state).toEqual(expired)
      expect(await stored(made.ticket)).toMatchObject({ status, version: `${version}` })
    }
  })

  test('[T6] a ticket is kept keepMs past its deadline at every step', async () => {
    for (const status of ['pending', 'scanned', 'confirmed', 'rejected', 'redeemed'] as const) {
      const { ticket } = await make[status](createTickets(redis, { keepMs: 7_000 }))
      const { deadline } = await stored(ticket)
      expect(await data.pexpiretime(keys.ticket(ticket))).toBe(Number(deadline) + 7_000)
    }
  })

  test('[T6] after keepMs it is forgotten, and its user code is free', async () => {
    const brief = createTickets(redis, { scanMs: 20, keepMs: 20 })
    const made = await make.pending(brief)
    let last = await brief.read(made.deviceCode)
    while (last.ok) last = await brief.read(made.deviceCode)
    expect(last).toEqual(refusal('TICKET_NOT_FOUND'))
    expect((await tickets.create({ ...drawTicket(), request: made.request })).ok).toBe(true)
  })

  test('[T7] a user code finds its ticket however it is typed', async () => {
    const made = drawTicket()
    made.request.userCode = `WDJB-${made.request.userCode}`
    value(await tickets.create(made))
    const typed = made.request.userCode
    for (const form of [typed, typed.toLowerCase(), typed.replaceAll('-', ''), ` ${typed.replaceAll('-', ' – ')} `])
      expect(await elsewhere.findByUserCode(form)).toEqual({ ok: true, value: ticketOf(made.deviceCode) })
    for (const form of ['', '-', 'ZZZZ-0000', '}{'])
      expect(await tickets.findByUserCode(form)).toEqual(refusal('TICKET_NOT_FOUND'))
  })

  test('[T8] requestedAt and decidedAt are times of Redis', async () => {
    const redisTime = async () =>
      Number(
        await data.eval(
          "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)",
          1,
          keys.ticket('x'),
        ),
      )
    const before = await redisTime()
    const { ticket, deviceCode } = await make.confirmed(tickets)
    const { request } = await make.pending(tickets).then(async (made) => value(await tickets.scan(made.ticket, OWNER)))
    const after = await redisTime()
    for (const time of [
      Date.parse(request.requestedAt),
      value(await tickets.record(deviceCode)).decidedAt ?? 0,
      Number((await stored(ticket)).created),
    ]) {
      expect(time).toBeGreaterThanOrEqual(before)
      expect(time).toBeLessThanOrEqual(after)
    }
  })

  test('[T9] the first account to scan owns the ticket and is told who asks', async () => {
    const made = await make.pending(tickets)
    expect(await tickets.scan(made.ticket, OWNER)).toEqual({
      ok: true,
      value: {
        state: { ticket: made.ticket, status: 'scanned', version: 2, expiresIn: 60 },
        request: { ...made.request, requestedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) },
        opened: 'scanned',
        verification: 'tap',
      },
    })
    expect(value(await tickets.record(made.deviceCode))).toMatchObject({
      sub: OWNER,
      authorization: made.authorization,
    })
  })

  test('[T9] of two phones that scan one ticket at the same time, one owns it', async () => {
    for (let round = 0; round < 25; round++) {
      const { deviceCode, ticket } = await make.pending(tickets)
      const scans = await Promise.all([tickets.scan(ticket, 'phone-0'), elsewhere.scan(ticket, 'phone-1')])
      expect(scans.filter(({ ok }) => ok)).toHaveLength(1)
      expect(scans).toContainEqual(refusal('TICKET_TAKEN'))
      expect(value(await tickets.record(deviceCode)).sub).toBe(`phone-${scans.findIndex(({ ok }) => ok)}`)
    }
  })

  test('[T10] the owner may scan again: same answer, no event, same deadline', async () => {
    const { ticket } = await make.pending(tickets)
    const heard = await hear(redis.subscriber, tickets.channel(ticket))
    const first = value(await tickets.scan(ticket, OWNER))
    const { deadline } = await stored(ticket)
    const again = value(await elsewhere.scan(ticket, OWNER))
    expect(again.state).toMatchObject({ status: 'scanned', version: 2 })
    expect(again.request).toEqual(first.request)
    expect((await stored(ticket)).deadline).toBe(deadline)
    value(await tickets.confirm(ticket, OWNER))
    expect((await heard.states(2)).map((state) => state?.status)).toEqual(['scanned', 'confirmed'])
  })

  test('[T28] what the first scan gave stays with the ticket', async () => {
    const [given, bare] = [await make.pending(tickets), await make.pending(tickets)]
    value(await tickets.scan(given.ticket, OWNER, 'first'))
    value(await elsewhere.scan(given.ticket, OWNER, 'second'))
    value(await tickets.scan(bare.ticket, OWNER))
    expect(await elsewhere.record(given.deviceCode)).toMatchObject({ value: { scannedAfter: 'first' } })
    expect(await elsewhere.record(bare.deviceCode)).toMatchObject({ value: { scannedAfter: '' } })
    // As a node of a former version scans.
    await redis.data.hdel(redis.keys.ticket(bare.ticket), 'scannedAfter')
    expect(value(await tickets.record(bare.deviceCode))).not.toHaveProperty('scannedAfter')
  })

  test.each(['scanned', 'confirmed', 'rejected', 'redeemed'] as const)(
    '[T11] another account gets TICKET_TAKEN when %s',
    async (status) => {
      const { ticket } = await make[status](tickets)
      for (const call of ['scan', 'confirm', 'reject'] as const)
        expect(await elsewhere[call](ticket, 'somebody else')).toEqual(refusal('TICKET_TAKEN'))
    },
  )

  test('[T12] the owner confirms what it has scanned', async () => {
    const { ticket, deviceCode } = await make.pending(tickets)
    expect(await tickets.confirm(ticket, OWNER)).toEqual(refusal('NOT_SCANNED'))
    value(await tickets.scan(ticket, OWNER))
    const confirmed = { ticket, status: 'confirmed', version: 3, expiresIn: 60 }
    expect(await elsewhere.confirm(ticket, OWNER)).toEqual({ ok: true, value: confirmed })
    expect(value(await tickets.record(deviceCode))).toMatchObject({ state: confirmed, sub: OWNER })
  })

  test('[T13] confirming twice, even at once, is one event and one deadline', async () => {
    const { ticket, deviceCode } = await make.scanned(tickets)
    const heard = await hear(redis.subscriber, tickets.channel(ticket))
    const both = await Promise.all([tickets.confirm(ticket, OWNER), elsewhere.confirm(ticket, OWNER)])
    const { deadline, decidedAt } = await stored(ticket)
    for (const confirmed of [...both, await tickets.confirm(ticket, OWNER)])
      expect(value(confirmed)).toMatchObject({ status: 'confirmed', version: 3 })
    expect(await stored(ticket)).toMatchObject({ deadline, decidedAt })
    value(await tickets.redeem(deviceCode))
    expect((await heard.states(2)).map((state) => state?.version)).toEqual([3, 4])
  })

  test('[T14] the owner may reject repeatedly, and before a scan anybody may', async () => {
    const scanned = await make.scanned(tickets)
    const pending = await make.pending(tickets)
    for (const [{ ticket, deviceCode }, version] of [
      [scanned, 3],
      [pending, 2],
    ] as const) {
      const rejected = { ok: true, value: { ticket, status: 'rejected', version, expiresIn: 0 } }
      expect(await tickets.reject(ticket, OWNER)).toEqual(rejected)
      expect(await elsewhere.reject(ticket, OWNER)).toEqual(rejected)
      expect(await elsewhere.read(deviceCode)).toEqual(rejected)
      expect(await tickets.reject(ticket, 'somebody else')).toEqual(refusal('TICKET_TAKEN'))
    }
  })

  test('[T15] what is decided stays decided', async () => {
    const refused = {
      confirmed: ['scan', 'reject'],
      rejected: ['scan', 'confirm'],
      redeemed: ['scan', 'confirm', 'reject'],
    } as const
    for (const status of ['confirmed', 'rejected', 'redeemed'] as const) {
      const { ticket } = await make[status](tickets)
      for (const call of refused[status]) expect(await tickets[call](ticket, OWNER)).toEqual(refusal('TICKET_SETTLED'))
    }
  })

  test('[T15] when confirm and reject race, one wins and the other is told so', async () => {
    for (let round = 0; round < 25; round++) {
      const { ticket, deviceCode } = await make.scanned(tickets)
      const results = await Promise.all(
        round % 2
          ? [tickets.confirm(ticket, OWNER), elsewhere.reject(ticket, OWNER)]
          : [elsewhere.reject(ticket, OWNER), tickets.confirm(ticket, OWNER)],
      )
      const [winner, ...more] = results.filter(({ ok }) => ok)
      expect(more).toHaveLength(0)
      expect(results).toContainEqual(refusal('TICKET_SETTLED'))
      expect(value(await tickets.read(deviceCode)).status).toBe(winner && value(winner).status)
    }
  })

  test('[T16] nothing changes past the deadline', async () => {
    const scan = await make.pending(createTickets(redis, { scanMs: 20 }))
    const confirm = await make.scanned(createTickets(redis, { confirmMs: 20 }))
    const redeem = await make.confirmed(createTickets(redis, { redeemMs: 20 }))
    for (const [{ deviceCode }, version] of [
      [scan, 1],
      [confirm, 2],
      [redeem, 3],
    ] as const)
      expect(value(await tickets.wait(deviceCode, version, { timeoutMs: LONG_MS })).status).toBe('expired')
    for (const { ticket, deviceCode } of [scan, confirm, redeem]) {
      const before = await stored(ticket)
      for (const call of ['scan', 'confirm', 'reject'] as const)
        expect(await tickets[call](ticket, OWNER)).toEqual(refusal('TICKET_EXPIRED'))
      expect(await tickets.redeem(deviceCode)).toEqual(refusal('TICKET_EXPIRED'))
      expect(await stored(ticket)).toEqual(before)
    }
    expect(await tickets.confirm(confirm.ticket, 'somebody else')).toEqual(refusal('TICKET_TAKEN'))
  })

  test('a time that is not a sensible number of milliseconds is refused at once', () => {
    for (const scanMs of [0, -1, 1.5, Number.NaN, 1e12])
      expect(() => createTickets(redis, { scanMs })).toThrow(RangeError)
  })

  crowdContract(redis, otherRedis)
  redeemContract(redis, otherRedis)
  pollContract(redis, otherRedis)
  walkContract(redis, otherRedis)
  inboxContract(redis, otherRedis)
  verificationContract(redis, otherRedis)
  await waitContract(url, redis, otherRedis)
}
