import { createHash } from 'node:crypto'
import { channelPattern, exactText, fail, ok, type Result, userChannel } from '@saoma/protocol'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'
import { createCoalescingCache, type Remembered } from './coalescing-cache.ts'
import { networkOf, wideNetworkOf } from './networks.ts'
import type { Person } from './principal.ts'
import { createWebhookClient } from './webhook-client.ts'

/** Resolves tokens that the business issued itself. */
export interface TokenIntrospection {
  /**
   * Fails with UNAUTHORIZED, TOKEN_EXPIRED or BACKEND_UNAVAILABLE. `from` is the client's address. With
   * `lastEnd`, only an answer that was requested after that session end was seen is valid.
   */
  resolve(token: string, from: string, lastEnd?: string): Promise<Result<Person>>
}

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

/** Backends use 0 as often as null for "nobody". If 0 were an id, all strangers would be one person. */
const Uid = v.union([
  v.string(),
  // 64-bit ids keep their exact digits.
  v.pipe(v.unknown(), v.transform(exactText), v.string(), v.regex(/^-?[1-9]\d*$/)),
])
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
): TokenIntrospection => {
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
    const named = v.safeParse(Uid, uid)
    if (!named.success || named.output === '') {
      if (uid !== undefined && uid !== null && uid !== 0 && uid !== '')
        log.warn(
          { event: 'business', setting: SETTING, uid: JSON.stringify(uid).slice(0, 64) },
          'this uid is not a valid id',
        )
      return unauthorized
    }
    const user = named.output
    if (!channelPattern.test(userChannel(user))) {
      log.warn({ event: 'business', setting: SETTING, uid: user.slice(0, 64) }, 'this uid cannot name a channel')
      return unauthorized
    }
    const ms = (expiresIn ?? DEFAULT_SECONDS) * 1000
    if (ms <= 0) return { value: fail('TOKEN_EXPIRED'), ms: REFUSED_MS }
    return {
      value: ok({
        kind: 'person',
        issuer: 'business',
        user,
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
