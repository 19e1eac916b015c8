import { createHash } from 'node:crypto'
import { fail, ok } from '@saoma/protocol'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'
import type { BusinessTokens } from './business-tokens.ts'
import { readUid } from './business-uid.ts'
import { createCoalescingCache, type Remembered } from './coalescing-cache.ts'
import { networkOf, wideNetworkOf } from './networks.ts'
import type { Person } from './principal.ts'
import { createWebhookClient } from './webhook-client.ts'

type Resolved = Remembered<Person>

const SETTING = 'SAOMA_AUTH_URL'
const TIMEOUT_MS = 3_000
/** Any caller can trigger a request, with any token. Only many owners of many networks can fill this. */
const MAX_IN_FLIGHT = 1_000
/** At 50 ms per answer, 160 people of one network can be resolved each second. */
const MAX_PER_NETWORK = 8
const MOST_ANSWERS = { yes: 20_000, no: 2_000 }
/** How long a positive answer is cached. */
const BELIEVED_MS = 60_000
/** How long a negative answer is cached. */
const REFUSED_MS = 1_000
/** Lifetime of a token if the business does not say when it expires. */
const DEFAULT_SECONDS = 600

const Answer = v.object({
  uid: v.optional(v.unknown()),
  rooms: v.nullish(v.array(v.string())),
  expiresIn: v.nullish(v.number()),
  sid: v.nullish(v.pipe(v.string(), v.maxLength(128))),
})

const unauthorized: Resolved = { value: fail('UNAUTHORIZED'), ms: REFUSED_MS }
const unavailable: Resolved = { value: fail('BACKEND_UNAVAILABLE'), ms: 0 }

export interface TokenIntrospectionOptions {
  /**
   * The clock of the cache, in milliseconds; its zero is arbitrary, but it must not return 0.
   * @default performance.now
   */
  now?: () => number
  /** Timeout of one request, in milliseconds. @default 3000 */
  timeoutMs?: number
}

/**
 * Asks the business whom a token belongs to, as CONNMIX does with its `auth_url`: `{ token }` for `{ uid }`.
 */
export const createTokenIntrospection = (
  url: string,
  log: Logger,
  { now = () => performance.now(), timeoutMs = TIMEOUT_MS }: TokenIntrospectionOptions = {},
): BusinessTokens => {
  const business = createWebhookClient({
    setting: SETTING,
    url,
    answer: Answer,
    refusals: [401, 403, 404],
    timeoutMs,
    maxInFlight: MAX_IN_FLIGHT,
    maxPerSubject: MAX_PER_NETWORK,
    log,
    now,
  })
  const answers = createCoalescingCache<Person>(MOST_ANSWERS, now)

  const personOf = ({ uid, rooms, expiresIn, sid }: v.InferOutput<typeof Answer>, lastEnd?: string): Resolved => {
    const read = readUid(uid)
    if (read.kind === 'invalid')
      log.warn({ event: 'business', setting: SETTING, uid: JSON.stringify(uid).slice(0, 64) }, read.why)
    if (read.kind !== 'person') return unauthorized
    const ms = (expiresIn ?? DEFAULT_SECONDS) * 1000
    if (ms <= 0) return { value: fail('TOKEN_EXPIRED'), ms: REFUSED_MS }
    return {
      value: ok({
        kind: 'person',
        issuer: 'business',
        user: read.user,
        ...(sid ? { sid } : {}),
        expiresAt: Date.now() + ms,
        ...(lastEnd === undefined ? {} : { lastEnd }),
        rooms: rooms ?? [],
      }),
      ms: Math.min(BELIEVED_MS, ms),
    }
  }

  // Cache by hash, so that a node's memory holds no tokens of other issuers.
  const nameOf = (token: string) => createHash('sha256').update(token).digest('base64')

  return {
    resolve: (token, from, lastEnd) =>
      answers.get(
        nameOf(token),
        async () => {
          const reply = await business.ask({ token }, networkOf(from), wideNetworkOf(from))
          if (reply.kind === 'answer') return personOf(reply.body, lastEnd)
          return reply.kind === 'refused' ? unauthorized : unavailable
        },
        lastEnd,
      ),
  }
}
