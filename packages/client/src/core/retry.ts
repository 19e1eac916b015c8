import { type BackoffOptions, backoffMs, pause } from './backoff.ts'
import { base64url } from './base64url.ts'
import { now as forward } from './clock.ts'
import type { Answer } from './request.ts'

export interface RetryOptions {
  /** No try begins later than this after the first. 0: only one try. */
  withinMs: number
  random: () => number
  signal: AbortSignal
  /** The clock, in milliseconds. @default a monotonic clock */
  now?: () => number
  /** @default 300 ms, at most 5 s */
  backoff?: BackoffOptions
}

const BACKOFF: BackoffOptions = { baseMs: 300, capMs: 5_000 }

/**
 * Retries until the answer is final, the time is over, or `signal` is aborted. Resolves with the last answer.
 */
export const retry = async <T>(attempt: () => Promise<Answer<T>>, options: RetryOptions): Promise<Answer<T>> => {
  const { withinMs, random, signal, now = forward, backoff = BACKOFF } = options
  const until = now() + withinMs
  for (let attempts = 0; ; attempts++) {
    const answer = await attempt()
    if (answer.ok || answer.react !== 'retry' || signal.aborted) return answer
    const waitMs = Math.max(answer.retryAfterMs ?? 0, backoffMs(attempts, backoff, random))
    if (now() + waitMs >= until) return answer
    await pause(waitMs, signal)
    if (signal.aborted) return answer
  }
}

/** An idempotency key for one publication, sent again with each retry: 22 characters, 128 random bits. */
export const drawKey = (): string => base64url(drawBytes(16))

const drawBytes = (count: number): Uint8Array => {
  const bytes = new Uint8Array(count)
  // WeChat's JavaScript has no `crypto`. A key must be unique; it is no secret.
  if (typeof crypto === 'undefined') return bytes.map(() => Math.floor(Math.random() * 256))
  return crypto.getRandomValues(bytes)
}
