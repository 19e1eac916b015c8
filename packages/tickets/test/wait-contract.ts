import { type ChannelListener, type RedisClients, Subscriber, shardsOf } from '@saoma/redis'
import { inLots, onCleanup } from '@saoma/testing'
import { createTickets } from '../src/index.ts'
import { drawDeviceCode, LONG_MS, make, OWNER, value } from './fixtures.ts'

const CONFIRMS = 1_000

/** Tells at which moment it was asked to hold a channel, and at which moment Redis has confirmed it. */
class Telling extends Subscriber {
  asked: (channel: string) => void = () => {}
  held: (channel: string) => void = () => {}
  waited: () => void = () => {}

  override async hold(channel: string, listener: ChannelListener): Promise<void> {
    this.asked(channel)
    await super.hold(channel, listener)
    this.held(channel)
  }

  /** By whoever holds a channel first, and by all who come to it. */
  override async confirmed(channel: string): Promise<void> {
    await super.confirmed(channel)
    this.waited()
  }
}

/** Rules about waiting, over any topology. Calls of the phone go through another node than the browser's. */
export const waitContract = async (url: string, redis: RedisClients, otherRedis: RedisClients) => {
  const telling = new Telling(shardsOf({ url, name: 'test:sub', onError: () => {} }, redis.pub))
  onCleanup(() => telling.close())
  await telling.ready(5_000)
  const tickets = createTickets({ ...redis, subscriber: telling })
  const phone = createTickets(otherRedis)
  const collect = async (deviceCode: string, after: number, signal = AbortSignal.timeout(LONG_MS)) => {
    const statuses: string[] = []
    for await (const { status } of tickets.follow(deviceCode, after, signal)) statuses.push(status)
    return statuses
  }

  test(`[T21] none of ${CONFIRMS} confirms around the moment of the subscription is lost`, async () => {
    const scanned = await inLots(Array(CONFIRMS).fill(undefined), () => make.scanned(phone))
    const byChannel = new Map(scanned.map(({ ticket }, i) => [tickets.channel(ticket), { ticket, half: i % 2 }]))
    const confirms: Promise<unknown>[] = []
    const confirm = (half: number) => (channel: string) => {
      const made = byChannel.get(channel)
      if (made?.half === half) confirms.push(phone.confirm(made.ticket, OWNER))
    }
    telling.asked = confirm(0)
    telling.held = confirm(1)
    const states = await inLots(scanned, ({ deviceCode }) => tickets.wait(deviceCode, 2, { timeoutMs: LONG_MS }))
    expect(confirms).toHaveLength(CONFIRMS)
    expect(states.filter((state) => value(state).status === 'confirmed')).toHaveLength(CONFIRMS)
    expect(telling.size).toBe(0)
  })

  test('[T21] a state that is already newer is answered at once', async () => {
    const { deviceCode } = await make.scanned(phone)
    expect(value(await tickets.wait(deviceCode, 1, { timeoutMs: LONG_MS }))).toMatchObject({
      status: 'scanned',
      version: 2,
    })
  })

  test('[T21] a transition during a lost subscription is read when it is back', async () => {
    const { ticket, deviceCode } = await make.scanned(phone)
    const waiting = tickets.wait(deviceCode, 2, { timeoutMs: LONG_MS })
    await new Promise<void>((resolve) => {
      telling.held = () => resolve()
    })
    // The state is changed behind the channel's back, as if its event had been sent while nobody was
    // subscribed.
    await redis.data.hset(redis.keys.ticket(ticket), 'status', 'confirmed', 'version', 3)
    const nodes = 'nodes' in redis.data ? redis.data.nodes('master') : [redis.data]
    await Promise.all(nodes.map((node) => node.call('CLIENT', 'KILL', 'TYPE', 'pubsub')))
    expect(value(await waiting)).toMatchObject({ status: 'confirmed', version: 3 })
  })

  test('[T22] the present state is answered when the time is up', async () => {
    const { deviceCode } = await make.scanned(phone)
    for (const timeoutMs of [0, 30])
      expect(value(await tickets.wait(deviceCode, 2, { timeoutMs }))).toMatchObject({ status: 'scanned', version: 2 })
  })

  test('[T22] the present state is answered when the signal fires', async () => {
    const { deviceCode } = await make.scanned(phone)
    const abort = new AbortController()
    telling.held = () => abort.abort()
    const answer = tickets.wait(deviceCode, 2, { timeoutMs: LONG_MS, signal: abort.signal })
    expect(value(await answer)).toMatchObject({ status: 'scanned', version: 2 })
    const late = tickets.wait(deviceCode, 2, { timeoutMs: LONG_MS, signal: abort.signal })
    expect(value(await late)).toMatchObject({ status: 'scanned', version: 2 })
  })

  test('[T22] a deadline that moves during the wait is waited for again', async () => {
    const { ticket, deviceCode } = await make.pending(phone)
    const held = new Promise<void>((resolve) => {
      telling.held = () => resolve()
    })
    // A cursor from the future hears of the scan and still waits for the deadline that the scan has set.
    const waiting = tickets.wait(deviceCode, 9, { timeoutMs: LONG_MS })
    await held
    const { state } = value(await createTickets(otherRedis, { confirmMs: 300 }).scan(ticket, OWNER))
    expect(state.version).toBe(2)
    expect(value(await waiting)).toMatchObject({ status: 'expired', version: 3 })
  })

  test('[T22] a terminal status is answered at once', async () => {
    const { deviceCode } = await make.rejected(phone)
    expect(value(await tickets.wait(deviceCode, 3, { timeoutMs: LONG_MS })).status).toBe('rejected')
  })

  test('[T22] a redemption ends the wait with TICKET_EXPIRED', async () => {
    const { deviceCode } = await make.confirmed(phone)
    telling.held = () => void phone.redeem(deviceCode)
    expect(await tickets.wait(deviceCode, 3, { timeoutMs: LONG_MS })).toEqual({ ok: false, code: 'TICKET_EXPIRED' })
  })

  test('[T23] follow gives each newer state and ends after a terminal one', async () => {
    const { ticket, deviceCode } = await make.pending(phone)
    const seen: string[] = []
    for await (const { status, version } of tickets.follow(deviceCode, 0, AbortSignal.timeout(LONG_MS))) {
      seen.push(`${version} ${status}`)
      if (status === 'pending') value(await phone.scan(ticket, OWNER))
      if (status === 'scanned') value(await phone.reject(ticket, OWNER))
    }
    expect(seen).toEqual(['1 pending', '2 scanned', '3 rejected'])
  })

  // It ends at the deadline, at a redemption and at the signal.
  test('[T23] follow starts above the cursor and ends with the ticket or the signal', async () => {
    const short = await make.scanned(createTickets(redis, { confirmMs: 300 }))
    // Whoever comes late sees the end alone.
    expect([['scanned', 'expired'], ['expired']]).toContainEqual(await collect(short.deviceCode, 1))

    const confirmed = await make.confirmed(phone)
    telling.held = () => void phone.redeem(confirmed.deviceCode)
    expect(await collect(confirmed.deviceCode, 3)).toEqual([])

    const abort = new AbortController()
    telling.held = () => abort.abort()
    expect(await collect((await make.scanned(phone)).deviceCode, 2, abort.signal)).toEqual([])
    expect(await collect((await make.scanned(phone)).deviceCode, 0, abort.signal)).toEqual([])
  })

  test('[T23] follow gives nothing to callers whom read refuses', async () => {
    telling.asked = () => {
      throw new Error('nobody without the secret makes a node subscribe')
    }
    const { ticket } = await make.scanned(phone)
    const wrong = ticket + drawDeviceCode().slice(ticket.length)
    expect(await collect(wrong, 0)).toEqual([])
    expect(await tickets.wait(wrong, 0, { timeoutMs: LONG_MS })).toEqual({ ok: false, code: 'TICKET_NOT_FOUND' })
    telling.asked = () => {}
  })

  test('[T24] the last to stop waiting ends the subscription', async () => {
    const { ticket, deviceCode } = await make.scanned(phone)
    let listeners = 0
    const abort = new AbortController()
    const bothListen = new Promise<void>((resolve) => {
      telling.waited = () => {
        if (++listeners === 2) resolve()
      }
    })
    const first = tickets.wait(deviceCode, 2, { timeoutMs: LONG_MS, signal: abort.signal })
    const second = tickets.wait(deviceCode, 2, { timeoutMs: LONG_MS })
    await bothListen
    abort.abort()
    value(await first)
    expect(telling.size).toBe(1)
    value(await phone.confirm(ticket, OWNER))
    expect(value(await second).status).toBe('confirmed')
    expect(telling.size).toBe(0)
  })
}
