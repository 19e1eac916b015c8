import { createHash } from 'node:crypto'
import { channelPattern, exactText, fail, ok, type Result, userChannel } from '@saoma/protocol'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'
import { createCoalescingCache, type Remembered } from './coalescing-cache.ts'
import { networkOf, wideNetworkOf } from './networks.ts'
import type { Person } from './principal.ts'
import { createWebhookClient } from './webhook-client.ts'

/** People with tokens that the business issued itself. */
export interface TokenIntrospection {
  /**
   * UNAUTHORIZED, TOKEN_EXPIRED, BACKEND_UNAVAILABLE. `from` is the address it came from. With `lastEnd` only
   * what the business was asked after that end was seen counts.
   */
  resolve(token: string, from: string, lastEnd?: string): Promise<Result<Person>>
}

type Resolved = Remembered<Person>

const SETTING = 'SAOMA_AUTH_URL'
const TIMEOUT_MS = 3_000
/** Anybody can make us ask, with any token: it takes many owners of many networks to fill this. */
const MAX_IN_FLIGHT = 1_000
/** At 50 ms an answer, 160 people of one network come in each second. */
const MAX_PER_NETWORK = 8
const MOST_ANSWERS = { yes: 20_000, no: 2_000 }
/** For so long a yes is believed. */
const BELIEVED_MS = 60_000
/** A wrong token is asked about once in this time. */
const REFUSED_MS = 1_000
/** Life of a token whose end the business does not tell. */
const DEFAULT_SECONDS = 600

/** Backends say 0 for "nobody" as often as null: all their strangers would be one person. */
const Uid = v.union([
  v.string(),
  // Ids of 64 bits come as they were written.
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
   * The clock for how long an answer counts, in milliseconds from any beginning but 0.
   * @default performance.now
   */
  now?: () => number
  /** Milliseconds for one answer. @default 3000 */
  timeoutMs?: number
}

/**
 * Asks the business who a token stands for, as CONNMIX does with its `auth_url`: `{ token }` for `{ uid }`.
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
        log.warn({ event: 'business', setting: SETTING, uid: JSON.stringify(uid).slice(0, 64) }, 'this uid is no id')
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

  // By its hash: the memory of a node is no place to keep other people's tokens.
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
