import { LONGEST_HOLD_SECONDS, type TicketState } from '@saoma/protocol'
import { backoffMs, pause } from '../core/backoff.ts'
import { now } from '../core/clock.ts'
import type { Failure } from '../core/request.ts'
import type { LoginApi } from './login-api.ts'

export interface LongPollOptions {
  api: LoginApi
  deviceCode: string
  random: () => number
  /** The last version seen: the cursor of the poll. */
  version: () => number
  onState: (state: TicketState) => void
  /** Whether the last request was answered. */
  onReachable: (reachable: boolean) => void
  /** The server will not let us read this ticket, now or later. */
  onRefused: (failure: Failure) => void
}

export interface LongPoll {
  readonly running: boolean
  start(): void
  stop(): void
  /** Asks again now instead of at the end of the back-off. */
  wake(): void
}

const RETRY = { baseMs: 500, capMs: 10_000 }
/**
 * An answer without news that comes sooner was not held: a cache or a full server is in the way, so do not
 * spin.
 */
const HELD_AT_LEAST_MS = 1_000

/**
 * Follows a ticket with plain HTTP, for networks that let no socket through. Any node can answer any request.
 */
export const createLongPoll = (options: LongPollOptions): LongPoll => {
  let running: AbortController | undefined

  const run = async (signal: AbortSignal) => {
    let attempt = 0
    // The first request asks for the present state only: it proves that this way is open, and the next one
    // may wait.
    let waitSeconds = 0
    while (!signal.aborted) {
      const before = options.version()
      const askedAt = now()
      const answer = await options.api.read(options.deviceCode, before, waitSeconds, signal)
      if (signal.aborted) return
      if (answer.ok) {
        options.onReachable(true)
        options.onState(answer.value)
        const held = waitSeconds === 0 || options.version() > before || now() - askedAt >= HELD_AT_LEAST_MS
        attempt = held ? 0 : attempt + 1
        waitSeconds = LONGEST_HOLD_SECONDS
        if (!held) await pause(backoffMs(attempt, RETRY, options.random), signal)
      } else if (answer.react === 'retry') {
        options.onReachable(false)
        waitSeconds = 0
        await pause(Math.max(answer.retryAfterMs ?? 0, backoffMs(attempt++, RETRY, options.random)), signal)
      } else {
        return options.onRefused(answer)
      }
    }
  }

  const stop = () => {
    running?.abort()
    running = undefined
  }

  const start = () => {
    if (running) return
    running = new AbortController()
    void run(running.signal)
  }

  return {
    get running() {
      return running !== undefined
    },
    start,
    stop,
    wake: () => {
      if (!running) return
      stop()
      start()
    },
  }
}
