import { LONGEST_HOLD_SECONDS, type TicketState } from '@saoma/protocol'
import { backoffMs, pause } from '../core/backoff.ts'
import { now } from '../core/clock.ts'
import type { Failure } from '../core/request.ts'
import type { LoginApi } from './login-api.ts'

export interface LongPollOptions {
  api: LoginApi
  deviceCode: string
  random: () => number
  /** The last known version, the cursor of the poll. */
  version: () => number
  onState: (state: TicketState) => void
  /** Whether the last request got an answer. */
  onReachable: (reachable: boolean) => void
  /** The server refuses this ticket for good. */
  onRefused: (failure: Failure) => void
}

export interface LongPoll {
  readonly running: boolean
  start(): void
  stop(): void
  /** Retries now instead of after the back-off. */
  wake(): void
}

const RETRY = { baseMs: 500, capMs: 10_000 }
/**
 * If an answer without news comes sooner, it was not held: a cache or a full server is in the way. Then back
 * off instead of spinning.
 */
const HELD_AT_LEAST_MS = 1_000

/** Follows a ticket by plain HTTP, for networks that block sockets. Any node can answer any request. */
export const createLongPoll = (options: LongPollOptions): LongPoll => {
  let running: AbortController | undefined

  const run = async (signal: AbortSignal) => {
    let attempt = 0
    // The first request does not wait: it proves that this way is open.
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
