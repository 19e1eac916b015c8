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
  add(watcher: TicketWatcher): void
  /** Lets go of everything. May be called again. */
  remove(watcher: TicketWatcher): void
  /** The event `watch`: its arguments as they came, the last one being the ack if there is one. */
  watch(this: TicketWatcher, ...args: unknown[]): Promise<void>
  /** Takes note of a transition that the watcher was told of. */
  heard(watcher: TicketWatcher, state: TicketState): void
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
  const watchers = new Set<TicketWatcher>()

  const watch = async (watcher: TicketWatcher, request: unknown): Promise<Result<TicketState>> => {
    const parsed = parseWatch(request)
    if (!parsed.ok) return parsed
    const { deviceCode } = parsed.value
    // The secret is checked before anything is subscribed, so that a stranger costs one read.
    const known = await tickets.read(deviceCode)
    if (!known.ok) return known
    await leave(watcher)
    // Following after the connection has ended would hold the ticket for ever.
    if (!watcher.isOpen) return known
    watcher.deviceCode = deviceCode
    try {
      await watcher.follow(ticketOf(deviceCode))
      const state = await tickets.read(deviceCode)
      await note(watcher, deviceCode, state)
      return state
    } catch (error) {
      await leave(watcher)
      throw error
    }
  }

  const leave = async (watcher: TicketWatcher): Promise<void> => {
    const { deviceCode } = watcher
    watcher.deviceCode = undefined
    watcher.version = 0
    watcher.dueAt = now() + IDLE_MS
    if (deviceCode) await watcher.unfollow(ticketOf(deviceCode))
  }

  /**
   * Notes what the browser knows and when to look again; a ticket that is over is not followed any longer.
   */
  const note = async (watcher: TicketWatcher, deviceCode: string, state: Result<TicketState>): Promise<void> => {
    if (watcher.deviceCode !== deviceCode) return
    if (!state.ok || isTerminal(state.value.status)) return leave(watcher)
    // A push may have overtaken what was read before it.
    if (state.value.version < watcher.version) return
    watcher.version = state.value.version
    watcher.dueAt = now() + state.value.expiresIn * 1000
  }

  /**
   * Reads the ticket again and tells the browser what it may have missed: at a deadline, and after Redis was
   * away.
   */
  const refresh = async (watcher: TicketWatcher): Promise<void> => {
    const { deviceCode } = watcher
    if (!deviceCode || !watcher.isOpen) return
    try {
      const state = await tickets.read(deviceCode)
      if (watcher.deviceCode !== deviceCode) return
      if (state.ok && state.value.version > watcher.version) watcher.tell(state.value)
      // It was there, and Redis has lost it: its picture leads nowhere any more, and the browser takes
      // another at once.
      if (!state.ok && state.code === 'TICKET_NOT_FOUND' && watcher.version > 0)
        watcher.tell({
          ticket: ticketOf(deviceCode),
          status: 'expired',
          version: watcher.version + 1,
          expiresIn: 0,
        })
      await note(watcher, deviceCode, state)
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      // The connections come back one by one, so `resubscribed` may have been too early: soon again.
      watcher.dueAt = now() + Math.round(RETRY_MS * (0.5 + Math.random()))
    }
  }

  const onWatch: Act<TicketWatcher> = async (watcher, request) => {
    // One at a time: two that cross would each undo half of the other.
    if (watcher.watching) return fail('RATE_LIMITED')
    watcher.watching = true
    try {
      const state = await watch(watcher, request)
      if (!state.ok) return state
      log.info({ event: 'watch', ticket: state.value.ticket, status: state.value.status })
      return ok({ state: state.value })
    } finally {
      watcher.watching = false
    }
  }

  const sweep = setInterval(() => {
    const at = now()
    for (const watcher of watchers) {
      if (at < watcher.dueAt) continue
      // The answer sets the next deadline; should Redis be away, it is looked at again later.
      watcher.dueAt = at + IDLE_MS
      if (watcher.deviceCode) void refresh(watcher)
      else watcher.dismiss()
    }
  }, SWEEP_MS).unref()

  subscriber.on('resubscribed', async (away) => {
    const missed = [...watchers].filter(
      ({ deviceCode }) => deviceCode && away.has(tickets.channel(ticketOf(deviceCode))),
    )
    for (let i = 0; i < missed.length; i += RESYNC_BATCH)
      await Promise.all(missed.slice(i, i + RESYNC_BATCH).map(refresh))
  })

  return {
    add: (watcher) => {
      watcher.dueAt = now() + IDLE_MS
      watchers.add(watcher)
    },
    remove: (watcher) => {
      watchers.delete(watcher)
      void leave(watcher)
    },
    watch(...args) {
      const { request, answer } = askedBy(args)
      return answerEvent('watch', deps, onWatch, this, request, answer)
    },
    heard: (watcher, state) => {
      pushes.told(state)
      if (watcher.deviceCode) void note(watcher, watcher.deviceCode, ok(state))
    },
    tickets: () => new Set([...watchers].flatMap(({ deviceCode }) => deviceCode ?? [])).size,
    close: () => clearInterval(sweep),
  }
}
