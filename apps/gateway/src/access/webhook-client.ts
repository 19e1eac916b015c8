import { parseExact, readBytes, reasonOf } from '@saoma/protocol'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'

/** The outcome of a request: an answer, a refusal, or no usable answer. */
export type WebhookReply<T> = { kind: 'answer'; body: T } | { kind: 'refused' } | { kind: 'unavailable' }

export interface WebhookClientOptions<T> {
  /** Name of the setting that holds the address, for the log. */
  setting: string
  url: string
  /** Sent as the Bearer token. */
  secret?: string
  /** Schema of the JSON in a response with status 200. */
  answer: v.GenericSchema<unknown, T>
  /** Statuses that mean no. Any other status except 200 means that the server is faulty. */
  refusals: readonly number[]
  /** Timeout of one request, in milliseconds. */
  timeoutMs: number
  /**
   * Most concurrent requests; further ones are refused. Once half of them are in use, a group may have at
   * most `maxPerSubject` open, however many subjects it has.
   */
  maxInFlight: number
  /** Most concurrent requests of one subject. Further ones are queued, for at most `timeoutMs`. */
  maxPerSubject: number
  log: Logger
  /**
   * The clock of the pause after a failure, in milliseconds; its zero is arbitrary.
   * @default performance.now
   */
  now?: () => number
}

export interface WebhookClient<T> {
  /**
   * Posts a question as JSON. `subject` is the one on whose behalf it is asked; subjects do not wait for each
   * other. `group` is a party that may be behind many subjects. Never rejects.
   */
  ask(question: object, subject: string, group?: string): Promise<WebhookReply<T>>
}

/** Open and queued requests of one group. */
interface Group {
  open: number
  waiting: number
}

/** Open and queued requests of one subject. */
interface Share {
  open: number
  /** In order of arrival. */
  waiting: Set<(granted: boolean) => void>
}

/** How long no request is sent to a server that has just failed (circuit breaker). */
const PAUSE_MS = 1_000
/** At most one log line about failures in this time. */
const QUIET_MS = 10_000
const LARGEST_BODY = 64 * 1024
/** Most queued requests: of one subject, which may be a school whose people reconnect at once, and in all. */
const MOST_WAITING_EACH = 200
const MOST_WAITING = 1_000
/**
 * Statuses of a server, or of its proxy, that is unavailable to all callers. 429 is not among them: it may
 * concern one caller only.
 */
const overloaded: readonly number[] = [502, 503, 504]

/** Characters of a member's name in the log. */
const LONGEST_NAME = 100

/** The first thing that is wrong with an answer. Never its values: they may be secret or personal. */
const wrongWith = ([issue]: readonly v.BaseIssue<unknown>[]): string => {
  if (!issue) return 'body'
  const where = (v.getDotPath(issue) ?? '').slice(0, LONGEST_NAME)
  // The message of a check that has none of its own quotes the value.
  const own = issue.type === 'check' && !issue.message.includes(issue.received) ? issue.message : undefined
  const what = issue.expected === 'never' ? 'not known' : (issue.expected ?? own ?? issue.type)
  return `body${where ? `: ${where}` : ''} (${what})`
}

const parseJson = (text: string): unknown => {
  try {
    return parseExact(text)
  } catch {
    return undefined
  }
}

/**
 * Posts questions to an address of the business. However slow or down the server is, the number of open
 * requests is bounded and callers wait at most a bounded time. However much one subject asks, other subjects
 * are served.
 */
export const createWebhookClient = <T>(options: WebhookClientOptions<T>): WebhookClient<T> => {
  const { setting, url, secret, answer, refusals, timeoutMs, maxInFlight, maxPerSubject, log } = options
  const { now = () => performance.now() } = options
  const headers = { 'content-type': 'application/json', ...(secret ? { authorization: `Bearer ${secret}` } : {}) }
  const shares = new Map<string, Share>()
  const groups = new Map<string, Group>()
  let inFlight = 0
  let waiting = 0
  let answeredAt = Number.NEGATIVE_INFINITY
  let pausedUntil = Number.NEGATIVE_INFINITY
  let quietUntil = Number.NEGATIVE_INFINITY

  const wrong = (reason: string): WebhookReply<T> => {
    if (now() >= quietUntil) {
      quietUntil = now() + QUIET_MS
      log.warn({ event: 'business', setting, reason }, 'the address does not answer as expected')
    }
    return { kind: 'unavailable' }
  }

  const unreachable = (startedAt: number, reason: string): WebhookReply<T> => {
    // If the server answered other requests meanwhile, only this request was the problem. Then do not pause.
    if (answeredAt < startedAt) pausedUntil = now() + PAUSE_MS
    return wrong(reason)
  }

  const post = async (question: object): Promise<WebhookReply<T>> => {
    const startedAt = now()
    let status: number
    let text: string
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body: JSON.stringify(question),
        // A redirect would send a token to another server.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
      status = response.status
      // Always read the body, so that the connection can be reused.
      text = Buffer.from(await readBytes(response.body ?? [], LARGEST_BODY)).toString()
    } catch (error) {
      return unreachable(startedAt, reasonOf(error))
    }
    if (overloaded.includes(status)) return unreachable(startedAt, `status ${status}`)
    answeredAt = now()
    if (refusals.includes(status)) return { kind: 'refused' }
    if (status !== 200) return wrong(`status ${status}`)
    const parsed = v.safeParse(answer, parseJson(text))
    return parsed.success ? { kind: 'answer', body: parsed.output } : wrong(wrongWith(parsed.issues))
  }

  /**
   * Queues a request. Resolves with `true` when a finished request passes its slot on, `false` after a
   * timeout or when the queue is full.
   */
  const turnOf = (share: Share, group: Group): Promise<boolean> => {
    const isCrowded = waiting >= MOST_WAITING / 2 && group.waiting >= MOST_WAITING_EACH
    if (share.waiting.size >= MOST_WAITING_EACH || waiting >= MOST_WAITING || isCrowded) return Promise.resolve(false)
    return new Promise((resolve) => {
      const decide = (granted: boolean) => {
        clearTimeout(timer)
        share.waiting.delete(decide)
        waiting--
        group.waiting--
        resolve(granted)
      }
      const timer = setTimeout(() => decide(false), timeoutMs)
      share.waiting.add(decide)
      waiting++
      group.waiting++
    })
  }

  const enter = (subject: string, share: Share, group: Group): boolean => {
    if (inFlight >= maxInFlight || (inFlight >= maxInFlight / 2 && group.open >= maxPerSubject)) return false
    inFlight++
    group.open++
    share.open++
    shares.set(subject, share)
    return true
  }

  const leave = (subject: string, share: Share, group: Group): void => {
    const [next] = share.waiting
    if (next) return next(true)
    inFlight--
    group.open--
    if (--share.open === 0) shares.delete(subject)
  }

  const groupOf = (name: string): Group => {
    const group = groups.get(name) ?? { open: 0, waiting: 0 }
    groups.set(name, group)
    return group
  }

  const isPaused = () => now() < pausedUntil

  return {
    ask: async (question, subject, name = subject) => {
      if (isPaused()) return { kind: 'unavailable' }
      const share = shares.get(subject) ?? { open: 0, waiting: new Set() }
      const group = groupOf(name)
      try {
        const granted = share.open < maxPerSubject ? enter(subject, share, group) : await turnOf(share, group)
        if (!granted) return wrong('too many questions at once')
        try {
          // Other requests may have failed while this one was queued.
          return isPaused() ? { kind: 'unavailable' } : await post(question)
        } finally {
          leave(subject, share, group)
        }
      } finally {
        if (group.open === 0 && group.waiting === 0) groups.delete(name)
      }
    },
  }
}
