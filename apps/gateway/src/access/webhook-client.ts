import { parseExact, readBytes, reasonOf } from '@saoma/protocol'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'

/** The business's server said something, said no, or could not be asked. */
export type WebhookReply<T> = { kind: 'answer'; body: T } | { kind: 'refused' } | { kind: 'unavailable' }

export interface WebhookClientOptions<T> {
  /** The setting that has the address, for the log. */
  setting: string
  url: string
  /** Sent as Bearer. */
  secret?: string
  /** Form of the JSON in an answer of status 200. */
  answer: v.GenericSchema<unknown, T>
  /** Statuses that mean no; all others but 200 mean that something is wrong there. */
  refusals: readonly number[]
  /** Milliseconds for one question. */
  timeoutMs: number
  /**
   * Questions asked at the same time; one more is not asked. The second half is for groups with few, however
   * many subjects they are.
   */
  maxInFlight: number
  /** Of these, questions for one subject; one more waits for its turn, at most `timeoutMs`. */
  maxPerSubject: number
  log: Logger
  /**
   * The clock for how long a server that failed is left alone, in milliseconds from any beginning.
   * @default performance.now
   */
  now?: () => number
}

export interface WebhookClient<T> {
  /**
   * Posts a question as JSON. `subject` is whom it is asked for: nobody else has to wait for theirs. `group`
   * is who may be behind many subjects. Never rejects.
   */
  ask(question: object, subject: string, group?: string): Promise<WebhookReply<T>>
}

/** What one group has taken, of the questions and of the waiting ones. */
interface Group {
  open: number
  waiting: number
}

/** What one subject has taken of the questions. */
interface Share {
  open: number
  /** In the order in which they came. */
  waiting: Set<(granted: boolean) => void>
}

/** For so long nobody asks a server that has just failed. */
const PAUSE_MS = 1_000
/** One line in the log for the failures of this time. */
const QUIET_MS = 10_000
const LARGEST_BODY = 64 * 1024
/**
 * Questions that wait for their turn: of one subject, which may be a school that comes back all at once, and
 * of all.
 */
const MOST_WAITING_EACH = 200
const MOST_WAITING = 1_000
/**
 * Statuses of a server, or of what stands before it, that is not there for anybody. 429 may be meant for one
 * flood only.
 */
const overloaded: readonly number[] = [502, 503, 504]

const parseJson = (text: string): unknown => {
  try {
    return parseExact(text)
  } catch {
    return undefined
  }
}

/**
 * An address of the business that questions are posted to. However slow or down it is, a bounded number of
 * calls is open and nobody waits long; and however much one subject asks, the others are asked for.
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
      log.warn({ event: 'business', setting, reason }, 'the address does not answer as it should')
    }
    return { kind: 'unavailable' }
  }

  const unreachable = (startedAt: number, reason: string): WebhookReply<T> => {
    // If others were answered meanwhile, this question was the difficulty: nobody else need suffer for it.
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
        // Whoever redirects us would be handed a token.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
      status = response.status
      // In any case, so that the connection can be used again.
      text = Buffer.from(await readBytes(response, LARGEST_BODY)).toString()
    } catch (error) {
      return unreachable(startedAt, reasonOf(error))
    }
    if (overloaded.includes(status)) return unreachable(startedAt, `status ${status}`)
    answeredAt = now()
    if (refusals.includes(status)) return { kind: 'refused' }
    if (status !== 200) return wrong(`status ${status}`)
    const parsed = v.safeParse(answer, parseJson(text))
    return parsed.success ? { kind: 'answer', body: parsed.output } : wrong('body')
  }

  /** Resolves with `true` when a question that has ended hands its place on. */
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
          // It may have failed others while this one waited.
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
