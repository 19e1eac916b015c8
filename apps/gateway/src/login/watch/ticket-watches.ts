import { fail, isTerminal, ok, parseWatch, type Result, type TicketState, ticketOf } from '@saoma/protocol'
import { RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Tickets } from '@saoma/tickets'
import type { Logger } from '../../operate/log.ts'
import type { Trace } from '../../operate/tracing/trace.ts'
import { type Act, answerEvent, askedBy } from '../../transport/socket/answer-event.ts'
import type { ConfirmLatency } from '../confirm-latency.ts'
import { now } from './clock.ts'
import type { TicketWatcher } from './ticket-watcher.ts'

export interface TicketWatchesDeps {
  tickets: Pick<Tickets, 'read' | 'channel'>
  subscriber: Pick<Subscriber, 'on'>
  pushes: Pick<ConfirmLatency, 'told'>
  log: Logger
  trace?: Trace
}

/** How browsers follow their tickets, the same through every door. */
export interface TicketWatches {
  add(waiter: TicketWatcher): void
  /** Lets go of everything. May be called again. */
  remove(waiter: TicketWatcher): void
  /** The event `watch`: its arguments as they came, the last one being the ack if there is one. */
  watch(this: TicketWatcher, ...args: unknown[]): Promise<void>
  /** Takes note of a transition that the waiter was told of. */
  heard(waiter: TicketWatcher, state: TicketState): void
  /** How many tickets somebody follows. */
  tickets(): number
  close(): void
}

/** How long a socket may follow nothing before it is closed. */
const IDLE_MS = 30_000
/** How often deadlines are looked at: one timer for all browsers instead of one for each. */
const SWEEP_MS = 1_000
/** When a ticket is read again that could not be read. */
const RETRY_MS = 2_000
/** Reads at once after Redis came back, so that it is not met by every waiting browser in one instant. */
const RESYNC_BATCH = 100

/**
 * The order is the promise: follow the ticket, wait until Redis has confirmed the subscription, and only then
 * read the state that the ack carries. So no transition falls between the two.
 */
export const createTicketWatches = (deps: TicketWatchesDeps): TicketWatches => {
  const { tickets, subscriber, pushes, log } = deps
  const waiters = new Set<TicketWatcher>()

  const watch = async (waiter: TicketWatcher, request: unknown): Promise<Result<TicketState>> => {
    const parsed = parseWatch(request)
    if (!parsed.ok) return parsed
    const { deviceCode } = parsed.value
    // The secret is checked before anything is subscribed, so that a stranger costs one read.
    const known = await tickets.read(deviceCode)
    if (!known.ok) return known
    await leave(waiter)
    // Following after the connection has ended would hold the ticket for ever.
    if (!waiter.isOpen) return known
    waiter.deviceCode = deviceCode
    try {
      await waiter.follow(ticketOf(deviceCode))
      const state = await tickets.read(deviceCode)
      await note(waiter, deviceCode, state)
      return state
    } catch (error) {
      await leave(waiter)
      throw error
    }
  }

  const leave = async (waiter: TicketWatcher): Promise<void> => {
    const { deviceCode } = waiter
    waiter.deviceCode = undefined
    waiter.version = 0
    waiter.dueAt = now() + IDLE_MS
    if (deviceCode) await waiter.unfollow(ticketOf(deviceCode))
  }

  /**
   * Notes what the browser knows and when to look again; a ticket that is over is not followed any longer.
   */
  const note = async (waiter: TicketWatcher, deviceCode: string, state: Result<TicketState>): Promise<void> => {
    if (waiter.deviceCode !== deviceCode) return
    if (!state.ok || isTerminal(state.value.status)) return leave(waiter)
    // A push may have overtaken what was read before it.
    if (state.value.version < waiter.version) return
    waiter.version = state.value.version
    waiter.dueAt = now() + state.value.expiresIn * 1000
  }

  /**
   * Reads the ticket again and tells the browser what it may have missed: at a deadline, and after Redis was
   * away.
   */
  const refresh = async (waiter: TicketWatcher): Promise<void> => {
    const { deviceCode } = waiter
    if (!deviceCode || !waiter.isOpen) return
    try {
      const state = await tickets.read(deviceCode)
      if (waiter.deviceCode !== deviceCode) return
      if (state.ok && state.value.version > waiter.version) waiter.tell(state.value)
      // It was there, and Redis has lost it: its picture leads nowhere any more, and the browser takes
      // another at once.
      if (!state.ok && state.code === 'TICKET_NOT_FOUND' && waiter.version > 0)
        waiter.tell({
          ticket: ticketOf(deviceCode),
          status: 'expired',
          version: waiter.version + 1,
          expiresIn: 0,
        })
      await note(waiter, deviceCode, state)
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      // The connections come back one by one, so `resubscribed` may have been too early: soon again.
      waiter.dueAt = now() + Math.round(RETRY_MS * (0.5 + Math.random()))
    }
  }

  const onWatch: Act<TicketWatcher> = async (waiter, request) => {
    // One at a time: two that cross would each undo half of the other.
    if (waiter.watching) return fail('RATE_LIMITED')
    waiter.watching = true
    try {
      const state = await watch(waiter, request)
      if (!state.ok) return state
      log.info({ event: 'watch', ticket: state.value.ticket, status: state.value.status })
      return ok({ state: state.value })
    } finally {
      waiter.watching = false
    }
  }

  const sweep = setInterval(() => {
    const at = now()
    for (const waiter of waiters) {
      if (at < waiter.dueAt) continue
      // The answer sets the next deadline; should Redis be away, it is looked at again later.
      waiter.dueAt = at + IDLE_MS
      if (waiter.deviceCode) void refresh(waiter)
      else waiter.dismiss()
    }
  }, SWEEP_MS).unref()

  subscriber.on('resubscribed', async (away) => {
    const missed = [...waiters].filter(
      ({ deviceCode }) => deviceCode && away.has(tickets.channel(ticketOf(deviceCode))),
    )
    for (let i = 0; i < missed.length; i += RESYNC_BATCH)
      await Promise.all(missed.slice(i, i + RESYNC_BATCH).map(refresh))
  })

  return {
    add: (waiter) => {
      waiter.dueAt = now() + IDLE_MS
      waiters.add(waiter)
    },
    remove: (waiter) => {
      waiters.delete(waiter)
      void leave(waiter)
    },
    watch(...args) {
      const { request, answer } = askedBy(args)
      return answerEvent('watch', deps, onWatch, this, request, answer)
    },
    heard: (waiter, state) => {
      pushes.told(state)
      if (waiter.deviceCode) void note(waiter, waiter.deviceCode, ok(state))
    },
    tickets: () => new Set([...waiters].flatMap(({ deviceCode }) => deviceCode ?? [])).size,
    close: () => clearInterval(sweep),
  }
}
