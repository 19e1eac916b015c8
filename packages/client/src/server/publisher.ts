import {
  type Code,
  codes,
  fail,
  type Inbox,
  ok,
  type Presence,
  type Published,
  parseInbox,
  parsePresence,
  parsePublished,
  type Reaction,
  type Result,
} from '@saoma/protocol'
import { notCarried } from '../core/carried.ts'
import { now as forward } from '../core/clock.ts'
import { type Answer, type Failure, failureFor, malformed, request } from '../core/request.ts'
import { drawKey, retry } from '../core/retry.ts'

/** A message to publish. `Events` declares the data of each event. */
export type Outgoing<Events extends object = Record<string, unknown>> = {
  [E in keyof Events & string]: {
    /** `user:<id>` or `room:<name>`. */
    channel: string
    event: E
    /** Any JSON, up to 32 KiB. */
    data: Events[E]
    /** Repeated with the same key and message within ten minutes, it is published once. @default a new key */
    idempotencyKey?: string
    /** Not kept, may be lost, sent only once. */
    volatile?: boolean
  }
}[keyof Events & string]

/** Which sessions of a person end. Without `sid` and `keep` all of them do. */
export interface EndOptions {
  /** Only this session. */
  sid?: string
  /** All but this one. */
  keep?: string
  /** A sentence for the person. */
  reason?: string
}

/** Where a backend publishes, and with which key. */
export interface PublisherOptions {
  /** Saoma's origin, without a path. */
  origin: string
  /** One of `SAOMA_API_KEYS`. */
  apiKey: string
  fetch?: typeof fetch
  /** No try begins later than this after the first, in milliseconds. @default 15000 */
  withinMs?: number
  /** Returns `[0, 1)`; for the jitter of retries. */
  random?: () => number
  /** The clock for `withinMs`, in milliseconds. @default a monotonic clock */
  now?: () => number
}

/**
 * A backend's access to live channels. Calls are idempotent and are retried as long as the server says that
 * it may help. They resolve with an answer or a failure, and never reject.
 */
export interface Publisher<Events extends object = Record<string, unknown>> {
  /** Publishes one message. Resolves with its position, and with how many connections followed then. */
  publish(message: Outgoing<Events>): Promise<Answer<Published>>
  /**
   * Publishes any number of messages. If all succeed, those of one channel keep their order. One answer per
   * message, in the same order.
   */
  publish(messages: readonly Outgoing<Events>[]): Promise<Answer<Published>[]>
  /** Asks who follows the channel now, over all nodes. */
  presence(channel: string): Promise<Answer<Presence>>
  /** Inbox of a `user:` channel. */
  inbox(channel: string): Promise<Answer<Inbox>>
  /**
   * Ends a session of a person, or all of them but `keep`, on every node: refresh tokens, sockets, and logins
   * that the person has scanned. `reason` is a sentence for the person, of up to 200 characters. A `sid` or
   * `keep` that is there and names no session is `INVALID`: it does not end all.
   */
  end(user: string, which?: string | EndOptions): Promise<Answer<void>>
  /** Deletes every message of a channel below offset `before`. */
  trim(channel: string, before: number): Promise<Answer<{ trimmed: number }>>
}

const WITHIN_MS = 15_000
const REQUEST_TIMEOUT_MS = 10_000
/** The server's limit for one request; in bytes it is 1 MiB. */
const MAX_BATCH = 100
const MAX_BATCH_BYTES = 1_000_000

type Sent = Outgoing

/**
 * Makes a backend's access to live channels. It connects to nothing: each call is an HTTP request with the
 * API key. `Events` declares the data of each event, for the compiler alone.
 *
 * @example
 * ```ts
 * import { createPublisher } from '@saoma/client/server'
 *
 * const publisher = createPublisher<{ paid: { order: number } }>({
 *   origin: 'https://login.example.com',
 *   apiKey: process.env.SAOMA_API_KEY ?? '',
 * })
 * const answer = await publisher.publish({ channel: 'user:ann', event: 'paid', data: { order: 17 } })
 * console.log(answer.ok ? answer.value.offset : answer.code) // -> 1
 * const answers = await publisher.publish([
 *   { channel: 'user:ann', event: 'paid', data: { order: 18 } },
 *   { channel: 'user:bob', event: 'paid', data: { order: 19 } },
 * ])
 * console.log(answers.map(({ ok }) => ok)) // -> [ true, true ]
 * console.log(await publisher.inbox('user:ann')) // -> { ok: true, value: { read: 0, unread: 2 } }
 * const here = await publisher.presence('user:ann')
 * console.log(here.ok && here.value.count) // -> 0
 * console.log(await publisher.trim('user:ann', 2)) // -> { ok: true, value: { trimmed: 1 } }
 * console.log(await publisher.end('ann')) // -> { ok: true, value: undefined }
 * ```
 */
export const createPublisher = <Events extends object = Record<string, unknown>>(
  options: PublisherOptions,
): Publisher<Events> => {
  const { apiKey, withinMs = WITHIN_MS, random = Math.random, now = forward } = options
  const fetch = options.fetch ?? globalThis.fetch
  const origin = options.origin.replace(/\/+$/, '')
  const { signal } = new AbortController()

  const once = <T>(
    method: string,
    path: string,
    parse: (body: unknown) => Result<T>,
    body?: object,
  ): Promise<Answer<T>> =>
    request({
      fetch,
      url: `${origin}${path}`,
      init: {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          accept: 'application/json',
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      },
      parse,
      timeoutMs: REQUEST_TIMEOUT_MS,
    })

  const safely = <T>(attempt: () => Promise<Answer<T>>): Promise<Answer<T>> =>
    retry(attempt, { withinMs, random, signal, now })

  const send = <T>(...call: Parameters<typeof once<T>>): Promise<Answer<T>> => safely(() => once(...call))

  const of = (channel: string, what: string) => `/v1/channels/${encodeURIComponent(channel)}/${what}`

  const publishOne = async (message: Sent): Promise<Answer<Published>> => {
    const wrong = notCarried(message.data)
    if (wrong) return wrong
    const attempt = () => once('POST', '/v1/publish', parsePublished, message)
    return message.volatile ? attempt() : safely(attempt)
  }

  /** Sends one request, and retries those of its messages for which that may help. */
  const publishBatch = async (messages: readonly Sent[]): Promise<Answer<Published>[]> => {
    const answers: Answer<Published>[] = messages.map(() => malformed())
    let left = messages.map((_, i) => i)
    await safely(async (): Promise<Answer<true>> => {
      const batch = left.flatMap((i) => messages[i] ?? [])
      const answer = await once('POST', '/v1/publish', parseAnswers(batch.length), batch)
      left.forEach((i, n) => {
        answers[i] = answer.ok ? (answer.value[n] ?? malformed()) : answer
      })
      left = left.filter((i) => isWorthIt(answers[i]) && !messages[i]?.volatile)
      const first = left[0] === undefined ? undefined : answers[left[0]]
      if (!first || first.ok) return { ok: true, value: true }
      return answer.ok ? first : answer
    })
    return answers
  }

  /** A message that JSON cannot carry keeps its place among the answers. */
  const publishAll = async (messages: readonly Sent[]): Promise<Answer<Published>[]> => {
    const wrong = messages.map(({ data }) => notCarried(data))
    const answers: Answer<Published>[] = []
    for (const batch of batches(messages.filter((_, i) => !wrong[i]).map(keyed)))
      answers.push(...(await publishBatch(batch)))
    return wrong.map((failure) => failure ?? answers.shift() ?? malformed())
  }

  const publish = (messages: Sent | readonly Sent[]): Promise<Answer<Published> | Answer<Published>[]> =>
    isMany(messages) ? publishAll(messages) : publishOne(keyed(messages))

  return {
    publish: publish as Publisher<Events>['publish'],
    presence: (channel) => send('GET', of(channel, 'presence'), parsePresence),
    inbox: (channel) => send('GET', of(channel, 'inbox'), parseInbox),
    end: async (user, which = {}) => {
      const body = typeof which === 'object' ? which : { sid: which }
      // JSON leaves out what is undefined, and the call would end all sessions.
      if (('sid' in body && !body.sid) || ('keep' in body && !body.keep)) return failureFor('INVALID')
      return send('POST', `/v1/users/${encodeURIComponent(user)}/end`, () => ok(undefined), body)
    },
    trim: (channel, before) => send('DELETE', of(channel, `messages?before=${before}`), parseTrimmed),
  }
}

const isMany = (messages: Sent | readonly Sent[]): messages is readonly Sent[] => Array.isArray(messages)

const isWorthIt = (answer: Answer<unknown> | undefined): boolean => answer?.ok === false && answer.react === 'retry'

/** A key makes a message safe to repeat. */
const keyed = (message: Sent): Sent =>
  message.volatile ? message : { ...message, idempotencyKey: message.idempotencyKey ?? drawKey() }

const batches = (messages: readonly Sent[]): Sent[][] => {
  const made: Sent[][] = []
  let bytes = 0
  for (const message of messages) {
    const size = new TextEncoder().encode(JSON.stringify(message)).length + 1
    const batch = made.at(-1)
    if (!batch || batch.length >= MAX_BATCH || bytes + size > MAX_BATCH_BYTES) {
      made.push([message])
      bytes = size
    } else {
      batch.push(message)
      bytes += size
    }
  }
  return made
}

/** The answers of a batch: `{ ok: true, … }` or a refusal for each message. */
const parseAnswers =
  (count: number) =>
  (body: unknown): Result<Answer<Published>[]> =>
    Array.isArray(body) && body.length === count ? ok(body.map(parseAnswer)) : fail('INVALID')

const parseAnswer = (body: unknown): Answer<Published> => {
  const { ok: done, code, react, message } = (body ?? {}) as Record<string, unknown>
  if (done === false && isCode(code)) return refused(code, react, message)
  const published = parsePublished(body)
  return published.ok ? published : malformed()
}

const isCode = (code: unknown): code is Code => typeof code === 'string' && code in codes

const refused = (code: Code, react: unknown, message: unknown): Failure => ({
  ok: false,
  code,
  react: reactions.find((known) => known === react) ?? codes[code].react,
  message: typeof message === 'string' ? message : codes[code].say.en,
})

const reactions: readonly Reaction[] = ['retry', 'reauth', 'renew', 'stop']

const parseTrimmed = (body: unknown): Result<{ trimmed: number }> => {
  const { trimmed } = (body ?? {}) as { trimmed?: unknown }
  return typeof trimmed === 'number' ? ok({ trimmed }) : fail('INVALID')
}
