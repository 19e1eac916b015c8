import { hash as digest, timingSafeEqual } from 'node:crypto'
import {
  fail,
  isTerminal,
  LOGIN_NAMESPACE,
  MOST_WRONG_NUMBERS,
  ok,
  parseDeviceCode,
  parseTicket,
  type Result,
  ticketOf,
} from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { createListening, type TicketInbox } from './listen.ts'
import { scripts } from './scripts.ts'
import { drawNumber, stateOf, TAP, type Tickets, type TicketTimes } from './ticket.ts'
import { findByUserCode, normalise, requestOf } from './user-codes.ts'
import { encodeEvent } from './wire.ts'

const defaults: TicketTimes = { scanMs: 120_000, confirmMs: 60_000, redeemMs: 60_000, keepMs: 300_000 }
/**
 * RFC 8628 section 3.5: five seconds between polls, five more after each poll that came too soon. A grace
 * period allows for network jitter.
 */
const POLL = { intervalMs: 5_000, stepMs: 5_000, mostMs: 60_000, graceMs: 500 }
/**
 * From this many accounts on a code gives tokens to nobody. One is whose login it is. A second one may have
 * read the same screen by mistake.
 */
export const VOID_AT = 3
/** A day: far below the limit of a timer, far above the time of a login. */
const LONGEST_MS = 86_400_000

const hash = (deviceCode: string): string => digest('sha256', deviceCode, 'base64url')

const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const mapResult = <T, U>(result: Result<T>, map: (value: T) => U): Result<U> =>
  result.ok ? ok(map(result.value)) : result

/**
 * @param onVoid  called once for a ticket that too many accounts have scanned, with its owner; by the node
 *   that served the last of them
 */
export const createTickets = (
  redis: RedisClients,
  options: Partial<TicketTimes> = {},
  onVoid: (ticket: string, owner: string | undefined) => void = () => {},
): Tickets => {
  const times = { ...defaults, ...options }
  for (const [name, ms] of Object.entries(times))
    if (!Number.isInteger(ms) || ms < 1 || ms > LONGEST_MS)
      throw new RangeError(`${name} must be a whole number of milliseconds between 1 and ${LONGEST_MS}`)
  const { confirmMs, redeemMs, keepMs } = times
  const { data, keys, subscriber, writing, reachReplicas } = redis
  const listening = createListening(subscriber)

  const room = (ticket: string) => keys.ticketRoom(ticket)
  const channel = (ticket: string) => keys.ticketChannel(LOGIN_NAMESPACE, ticket)
  const keysOf = (ticket: string): [string, string] => [keys.ticket(ticket), channel(ticket)]
  const eventOf = (ticket: string) => encodeEvent(room(ticket), ticket)

  /** The record of a device code with the right secret, in any status but `redeemed`. */
  const look = async (deviceCode: string) => {
    if (!parseDeviceCode(deviceCode).ok) return fail('TICKET_NOT_FOUND')
    const found = await scripts.read(data, [keys.ticket(ticketOf(deviceCode))], [])
    if (!found.ok) return found
    if (!same(found.value.secret, hash(deviceCode))) return fail('TICKET_NOT_FOUND')
    return found.value.status === 'redeemed' ? fail('TICKET_EXPIRED') : found
  }

  const read = async (deviceCode: string) =>
    mapResult(await look(deviceCode), (found) => stateOf(ticketOf(deviceCode), found))

  /**
   * The next state above `after`, or the present one if it is terminal. Undefined when `endAt` has passed or
   * the signal is aborted.
   */
  const next = async (ear: TicketInbox, deviceCode: string, after: number, endAt: number, signal?: AbortSignal) => {
    let deadline = 0 // Unknown before the first read.
    for (;;) {
      const heard = ear.take(after)
      if (heard) return heard.status === 'redeemed' ? fail('TICKET_EXPIRED') : ok(heard)
      if (signal?.aborted || performance.now() >= endAt) return undefined
      if (ear.missed || performance.now() >= deadline) {
        ear.missed = false
        const found = await look(deviceCode)
        if (!found.ok) return found
        const state = stateOf(ticketOf(deviceCode), found.value)
        if (state.version > after || isTerminal(state.status)) return ok(state)
        deadline = performance.now() + found.value.leftMs
      } else {
        await ear.changed(Math.max(1, Math.min(deadline, endAt) - performance.now()), signal)
      }
    }
  }

  /**
   * A transition counts only when enough replicas have it. If they do not, a retry repeats the same
   * transition.
   */
  const replicated = async <T>(ticket: string, write: () => Promise<Result<T>>): Promise<Result<T>> => {
    const replicated = writing(keys.ticket(ticket))
    const result = await write()
    if (result.ok) await replicated()
    return result
  }

  return {
    create: async ({ deviceCode, request, authorization, terms = '', verification = TAP, ...pushed }) => {
      const { demand, network } = verification
      const { owner = '', scanMs = times.scanMs } = pushed
      const userCode = normalise(request.userCode)
      if (!parseDeviceCode(deviceCode).ok || (userCode === '' && owner === ''))
        throw new TypeError('a ticket needs a device code, and a user code or an owner')
      const ticket = ticketOf(deviceCode)
      const index = userCode === '' ? undefined : keys.userCode(userCode)
      const replicated = writing(...(index ? [index] : []), keys.ticket(ticket))
      // Write the user code first, so that no ticket exists without one. A code without its ticket only gives
      // TICKET_NOT_FOUND.
      if (index && !(await orUnavailable(data.set(index, ticket, 'PX', scanMs, 'NX')))) return fail('TICKET_TAKEN')
      const number = drawNumber(verification)
      const created = await scripts.create(
        data,
        [keys.ticket(ticket)],
        [
          ...([hash(deviceCode), JSON.stringify(request), authorization, scanMs, keepMs] as const),
          ...([terms, demand, number, network, owner] as const),
        ],
      )
      if (!created.ok && index) await orUnavailable(data.del(index))
      if (created.ok) await replicated()
      const isTold = owner !== '' && number !== ''
      return mapResult(created, (snapshot) => stateOf(ticket, { ...snapshot, ...(isTold ? { number } : {}) }))
    },

    read,

    record: async (deviceCode) =>
      mapResult(await look(deviceCode), ({ sub, decidedAt, scannedAfter, mode, authorization, ...snapshot }) => ({
        state: stateOf(ticketOf(deviceCode), snapshot),
        ...(sub === undefined ? {} : { sub }),
        ...(decidedAt === undefined ? {} : { decidedAt }),
        ...(scannedAfter === undefined ? {} : { scannedAfter }),
        ...(mode === undefined ? {} : { mode }),
        authorization,
      })),

    scan: async (ticket, sub, scannedAfter = '', { network = '', listed = false } = {}) => {
      if (!parseTicket(ticket).ok) return fail('TICKET_NOT_FOUND')
      const how = [scannedAfter, VOID_AT, network, listed ? '1' : ''] as const
      const given = [sub, confirmMs, keepMs, ...eventOf(ticket), ...how] as const
      const scanned = await replicated(ticket, () => scripts.scan(data, keysOf(ticket), [...given]))
      if (scanned.ok && scanned.value.status === 'rejected') {
        const found = await scripts.read(data, [keys.ticket(ticket)], [])
        onVoid(ticket, found.ok ? found.value.sub : undefined)
        return fail('TICKET_VOID')
      }
      return mapResult(scanned, ({ request, createdAt, isTyped, mode, ...snapshot }) => ({
        state: stateOf(ticket, snapshot),
        request: { ...request, requestedAt: new Date(createdAt).toISOString() },
        opened: isTyped ? 'typed' : 'scanned',
        verification: mode,
      }))
    },

    confirm: async (ticket, sub, { network = '', number = '', terms = '' } = {}) => {
      if (!parseTicket(ticket).ok) return fail('TICKET_NOT_FOUND')
      const given = [sub, redeemMs, keepMs, ...eventOf(ticket), terms, number, network, MOST_WRONG_NUMBERS] as const
      const confirm = () => scripts.confirm(data, keysOf(ticket), [...given])
      return mapResult(await replicated(ticket, confirm), (snapshot) => stateOf(ticket, snapshot))
    },

    reject: async (ticket, sub) => {
      if (!parseTicket(ticket).ok) return fail('TICKET_NOT_FOUND')
      const reject = () => scripts.reject(data, keysOf(ticket), [sub, keepMs, ...eventOf(ticket)])
      return mapResult(await replicated(ticket, reject), (snapshot) => stateOf(ticket, snapshot))
    },

    redeem: async (deviceCode) => {
      if (!parseDeviceCode(deviceCode).ok) return fail('TICKET_NOT_FOUND')
      const ticket = ticketOf(deviceCode)
      // A redemption cannot be repeated, so check the replicas before it and do not wait for them after it.
      // If a failover loses it, the same holder may redeem again.
      await reachReplicas(keys.ticket(ticket))
      const redeemed = await scripts.redeem(data, keysOf(ticket), [hash(deviceCode), keepMs, ...eventOf(ticket)])
      return mapResult(redeemed, ({ authorization, sub, decidedAt, mode, ...snapshot }) => ({
        state: stateOf(ticket, snapshot),
        ...{ sub, decidedAt, authorization },
        ...(mode === undefined ? {} : { mode }),
      }))
    },

    poll: (deviceCode) =>
      scripts.poll(
        data,
        [keys.ticket(ticketOf(deviceCode))],
        [POLL.intervalMs, POLL.stepMs, POLL.mostMs, POLL.graceMs],
      ),

    peek: async (ticket) => {
      if (!parseTicket(ticket).ok) return fail('TICKET_NOT_FOUND')
      // Whoever has no device code must not learn the number.
      return mapResult(await scripts.read(data, [keys.ticket(ticket)], []), ({ sub, number: _, ...snapshot }) => ({
        state: stateOf(ticket, snapshot),
        ...(sub === undefined ? {} : { sub }),
      }))
    },

    authorizationOf: async (ticket) => {
      const text = parseTicket(ticket).ok ? await orUnavailable(data.hget(keys.ticket(ticket), 'authorization')) : null
      return text === null ? fail('TICKET_NOT_FOUND') : ok(text)
    },

    isPending: async (ticket) => {
      const found = await scripts.read(data, [keys.ticket(ticket)], [])
      return found.ok && found.value.status === 'pending'
    },

    findByUserCode: (userCode, sub) => findByUserCode(redis, userCode, sub),
    requestOf: (ticket) => requestOf(redis, ticket),

    wait: async (deviceCode, after, { timeoutMs, signal }) => {
      const endAt = performance.now() + timeoutMs
      // The first read checks the secret before we subscribe. The decisive read follows after the
      // subscription.
      const present = await read(deviceCode)
      if (!present.ok || present.value.version > after || isTerminal(present.value.status)) return present
      if (timeoutMs <= 0 || signal?.aborted) return present
      const ear = await listening.open(channel(ticketOf(deviceCode)))
      try {
        const found = await next(ear, deviceCode, after, endAt, signal)
        if (found) return found
      } finally {
        ear.close()
      }
      // The read at the end also covers a deaf subscription. Skip it when the caller has aborted.
      return signal?.aborted ? present : read(deviceCode)
    },

    follow: async function* (deviceCode, after, signal) {
      if (signal.aborted || !(await look(deviceCode)).ok) return
      const ear = await listening.open(channel(ticketOf(deviceCode)))
      try {
        for (let seen = after; ; ) {
          const found = await next(ear, deviceCode, seen, Number.POSITIVE_INFINITY, signal)
          if (!found?.ok) return
          if (found.value.version > seen) yield found.value
          if (isTerminal(found.value.status)) return
          seen = found.value.version
        }
      } finally {
        ear.close()
      }
    },

    listen: (ticket, listener) => listening.add(channel(ticket), listener),
    unlisten: (ticket, listener) => listening.remove(channel(ticket), listener),

    times,
    room,
    channel,
  }
}
