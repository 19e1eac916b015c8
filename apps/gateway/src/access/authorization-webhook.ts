import { fail, ok, type Result } from '@saoma/protocol'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'
import { createCoalescingCache, type Remembered } from './coalescing-cache.ts'
import type { Person } from './principal.ts'
import { createWebhookClient } from './webhook-client.ts'

/** Asks the business who may follow or publish in a room. */
export interface AuthorizationWebhook {
  /** Whether this person may perform the action. Fails with FORBIDDEN or BACKEND_UNAVAILABLE. */
  allows(who: Person, action: 'follow' | 'publish', channel: string): Promise<Result<true>>
}

type Verdict = Remembered<true>

const TIMEOUT_MS = 2_000
/** A hundred people at once, each with an account at the business, can fill this. */
const MAX_IN_FLIGHT = 400
const MAX_PER_PERSON = 4
const MOST_ANSWERS = { yes: 20_000, no: 2_000 }
/** How long a positive answer is cached if the hook does not say, and the longest it may say. */
const DEFAULT_SECONDS = 30
const MOST_SECONDS = 3_600
const REFUSED_MS = 5_000

const Answer = v.object({ allow: v.boolean(), seconds: v.nullish(v.pipe(v.number(), v.minValue(0))) })

const refused: Verdict = { value: fail('FORBIDDEN'), ms: REFUSED_MS }
const unavailable: Verdict = { value: fail('BACKEND_UNAVAILABLE'), ms: 0 }

/**
 * Posts `{ action, channel, user, sid? }` and expects `{ allow, seconds? }`, or status 403 for no. If the
 * hook fails, an expired answer is not reused, because the decision may have changed.
 */
export const createAuthorizationWebhook = (
  { url, secret }: { url: string; secret: string },
  log: Logger,
): AuthorizationWebhook => {
  const business = createWebhookClient({
    setting: 'SAOMA_HOOK_URL',
    url,
    secret,
    answer: Answer,
    refusals: [403],
    timeoutMs: TIMEOUT_MS,
    maxInFlight: MAX_IN_FLIGHT,
    maxPerSubject: MAX_PER_PERSON,
    log,
  })
  const answers = createCoalescingCache<true>(MOST_ANSWERS)

  const verdictOf = ({ allow, seconds }: v.InferOutput<typeof Answer>): Verdict =>
    allow ? { value: ok(true), ms: Math.min(seconds ?? DEFAULT_SECONDS, MOST_SECONDS) * 1000 } : refused

  return {
    allows: ({ user, sid }, action, channel) => {
      const question = { action, channel, user, ...(sid ? { sid } : {}) }
      return answers.get(JSON.stringify(question), async () => {
        const reply = await business.ask(question, user)
        if (reply.kind === 'answer') return verdictOf(reply.body)
        return reply.kind === 'refused' ? refused : unavailable
      })
    },
  }
}
