import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { type Result, type TicketState, ticketOf } from '@saoma/protocol'
import { createRedis, type RedisClients, type Subscriber } from '@saoma/redis'
import { onCleanup } from '@saoma/testing'
import type { NewTicket, Tickets } from '../src/index.ts'
import { decodeEvent } from '../src/wire.ts'

export const uniquePrefix = () => `test-${randomUUID()}`

/** One node's clients, closed at the end of the file. */
export const openRedis = async (url: string, prefix = uniquePrefix()): Promise<RedisClients> => {
  const redis = await createRedis({ url, prefix })
  onCleanup(() => redis.close())
  return redis
}

/** Letters of which user codes are made (RFC 8628 section 6.1). */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const letters = (count: number) => Array.from({ length: count }, () => LETTERS[randomInt(LETTERS.length)]).join('')

export const drawDeviceCode = () => randomBytes(49).toString('base64url').slice(0, 65)

export const drawTicket = (): NewTicket => ({
  deviceCode: drawDeviceCode(),
  request: { app: 'Demo', ip: '203.0.113.7', browser: 'Firefox', os: 'Linux', userCode: `${letters(4)}-${letters(4)}` },
  authorization: JSON.stringify({ client_id: 'web', scope: 'openid' }),
})

export interface Made extends NewTicket {
  ticket: string
}

export const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(`expected a value, got ${result.code}`)
  return result.value
}

/** What the owner of these fixtures is called. */
export const OWNER = 'owner'

/** Longer than a test may take: where an event is lost, a wait goes on until the test fails. */
export const LONG_MS = 600_000

/** A ticket taken to a status. */
export const make = {
  pending: async (tickets: Tickets): Promise<Made> => {
    const made = drawTicket()
    value(await tickets.create(made))
    return { ...made, ticket: ticketOf(made.deviceCode) }
  },
  scanned: async (tickets: Tickets): Promise<Made> => {
    const made = await make.pending(tickets)
    value(await tickets.scan(made.ticket, OWNER))
    return made
  },
  confirmed: async (tickets: Tickets): Promise<Made> => {
    const made = await make.scanned(tickets)
    value(await tickets.confirm(made.ticket, OWNER))
    return made
  },
  rejected: async (tickets: Tickets): Promise<Made> => {
    const made = await make.scanned(tickets)
    value(await tickets.reject(made.ticket, OWNER))
    return made
  },
  redeemed: async (tickets: Tickets): Promise<Made> => {
    const made = await make.confirmed(tickets)
    value(await tickets.redeem(made.deviceCode))
    return made
  },
}

/** Everything said on a channel from now on. */
export const hear = async (subscriber: Subscriber, channel: string) => {
  const payloads: Buffer[] = []
  const told = new EventEmitter()
  await subscriber.hold(channel, {
    hear: (payload) => {
      payloads.push(payload)
      told.emit('message')
    },
  })
  return {
    /** Resolves with all payloads once there are `count` of them. */
    payloads: async (count: number): Promise<Buffer[]> => {
      while (payloads.length < count) await once(told, 'message')
      return payloads
    },
    states: async (count: number): Promise<(TicketState | undefined)[]> => {
      while (payloads.length < count) await once(told, 'message')
      return payloads.map(decodeEvent)
    },
  }
}

/** A small seeded source of chance (mulberry32): the same seed gives the same run. */
export const createChance = (seed: number) => {
  let state = seed
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  return { below, pick: <T>(from: readonly [T, ...T[]]): T => from[below(from.length)] ?? from[0] }
}
