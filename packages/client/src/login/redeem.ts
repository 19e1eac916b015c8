import type { TokenSet } from '@saoma/protocol'
import { backoffMs, pause } from '../core/backoff.ts'
import { now } from '../core/clock.ts'
import type { Answer, Failure } from '../core/request.ts'
import type { LoginApi } from './login-api.ts'

export interface RedeemOptions {
  api: LoginApi
  deviceCode: string
  /** How long the confirmed ticket can be redeemed. */
  windowMs: number
  random: () => number
  signal: AbortSignal
  onFailure: (failure: Failure) => void
}

const RETRY = { baseMs: 300, capMs: 5_000 }
/** RFC 8628 section 3.5: the pause between polls. `slow_down` adds the same amount. */
const POLL_INTERVAL_MS = 5_000

/** Requests the tokens until the answer is final, or the window ends. */
export const redeem = async ({
  api,
  deviceCode,
  windowMs,
  random,
  signal,
  onFailure,
}: RedeemOptions): Promise<Answer<TokenSet>> => {
  const until = now() + windowMs
  let intervalMs = POLL_INTERVAL_MS
  for (let attempt = 0; ; attempt++) {
    const answer = await api.redeem(deviceCode, signal)
    if (answer.ok || signal.aborted) return answer
    onFailure(answer)
    // Refused at the first try: another page with the same code, such as a duplicated tab, was first.
    if (answer.code === 'invalid_grant' && attempt === 0) return { ...answer, code: 'expired_token' }
    if (answer.react !== 'retry') return answer
    if (answer.code === 'slow_down') intervalMs += POLL_INTERVAL_MS
    const polling = answer.code === 'slow_down' || answer.code === 'authorization_pending'
    const waitMs = polling ? intervalMs : Math.max(answer.retryAfterMs ?? 0, backoffMs(attempt, RETRY, random))
    if (now() + waitMs >= until) return { ...answer, react: 'renew' }
    await pause(waitMs, signal)
  }
}
