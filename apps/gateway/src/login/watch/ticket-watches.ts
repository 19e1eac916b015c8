import { fail, isTerminal, ok, parseWatch, type Result, type TicketState, ticketOf } from '@saoma/protocol'
import { every, RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Tickets } from '@saoma/tickets'
import { now } from '../../transport/clock.ts'
import { type Act, type AnswerDeps, answerEvent, askedBy } from '../../transport/socket/answer-event.ts'
import type { ConfirmLatency } from '../confirm-latency.ts'
import type { TicketWatcher } from './ticket-watcher.ts'

export interface TicketWatchesDeps extends AnswerDeps {
  tickets: Pick<Tickets, 'read' | 'channel'>
  subscriber: Pick<Subscriber, 'on'>
  pushes: Pick<ConfirmLatency, 'told'>
}

/** Lets browsers watch their tickets, the same on every door. */
export interface TicketWatches {
  add(watcher: TicketWatcher): void
  /** Releases everything. Idempotent. */
  remove(watcher: TicketWatcher): void
  /**
   * Handles the event `watch`. The arguments are those of the event; the ack, if there is one, is the last.
   */
  watch(this: TicketWatcher, ...args: unknown[]): Promise<void>
  /** Records a transition that was sent to the watcher. */
  heard(watcher: TicketWatcher, state: TicketState): void
  /** Number of watched tickets. */
  tickets(): number
  close(): void
}

/** How long a socket may watch nothing before it is closed. */
const IDLE_MS = 30_000
/** How often deadlines are checked: one timer for all browsers instead of one for each. */
const SWEEP_MS = 1_000
/** When to retry the read of a ticket that failed. */
const RETRY_MS = 2_000
/** Concurrent reads after Redis came back, so that the waiting browsers do not hit it all at once. */
const RESYNC_BATCH = 100

/**
 * The order is essential. 1. Follow the ticket, and wait until Redis confirms the subscription. 2. Read the
 * state for the ack. No transition can be missed, because step 1 precedes step 2.
 */
export const createTicketWatches = (deps: TicketWatchesDeps): TicketWatches => {
  const { tickets, subscriber, pushes, log } = deps
  const watchers = new Set<TicketWatcher>()

  const watch = async (watcher: TicketWatcher, request: unknown): Promise<Result<TicketState>> => {
    const parsed = parseWatch(request)
    if (!parsed.ok) return parsed
    const { deviceCode } = parsed.value
    // Verify the secret before subscribing, so that a stranger costs only one read.
    const known = await tickets.read(deviceCode)
    if (!known.ok) return known
    await leave(watcher)
    // To follow after the connection has closed would hold the ticket for ever.
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

  /** Records what the browser knows and when to check again. Stops following a ticket that is over. */
  const note = async (watcher: TicketWatcher, deviceCode: string, state: Result<TicketState>): Promise<void> => {
    if (watcher.deviceCode !== deviceCode) return
    if (!state.ok || isTerminal(state.value.status)) return leave(watcher)
    // An event may have overtaken the read.
    if (state.value.version < watcher.version) return
    watcher.version = state.value.version
    watcher.dueAt = now() + state.value.expiresIn * 1000
  }

  /**
   * Reads the ticket again and sends the browser what it may have missed:
   * at a deadline, and after an outage of Redis.
   */
  const refresh = async (watcher: TicketWatcher): Promise<void> => {
    const { deviceCode } = watcher
    if (!deviceCode || !watcher.isOpen) return
    try {
      const state = await tickets.read(deviceCode)
      if (watcher.deviceCode !== deviceCode) return
      if (state.ok && state.value.version > watcher.version) watcher.tell(state.value)
      // Redis has lost the ticket, so its picture leads nowhere. "Expired"
      // makes the browser create a new one at once.
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
      // The Redis connections come back one by one, so `resubscribed` may have been too early. Retry soon.
      watcher.dueAt = now() + Math.round(RETRY_MS * (0.5 + Math.random()))
    }
  }

  const onWatch: Act<TicketWatcher> = async (watcher, request) => {
    // One at a time: two concurrent ones would each undo half of the other.
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

  const stopSweeps = every(SWEEP_MS, () => {
    const at = now()
    for (const watcher of watchers) {
      if (at < watcher.dueAt) continue
      // The read sets the next deadline. If Redis is unavailable, it is retried later.
      watcher.dueAt = at + IDLE_MS
      if (watcher.deviceCode) void refresh(watcher)
      else watcher.dismiss()
    }
  })

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
    close: stopSweeps,
  }
}
