import type { Result } from '@saoma/protocol'
import { LRUCache } from 'lru-cache'

/** An answer, and the milliseconds for which it may be given again. */
export interface Remembered<T> {
  value: Result<T>
  ms: number
}

/** Answers by their question. However many ask the same at once, it is asked once. */
export interface CoalescingCache<T> {
  /**
   * `since` is a word for something that an answer has to know of: with one, only what was asked with the
   * same word counts, be it remembered or still being asked.
   */
  get(question: string, ask: () => Promise<Remembered<T>>, since?: string): Promise<Result<T>>
}

interface Known<T> {
  value: Result<T>
  since: string | undefined
}

/**
 * @param most  answers kept, those that say yes and those that say no: of each, the one that was given last
 *   the longest ago goes first
 * @param now  the clock, in milliseconds from any beginning but 0
 */
export const createCoalescingCache = <T>(
  most: { yes: number; no: number },
  now: () => number = () => performance.now(),
): CoalescingCache<T> => {
  // The clock is looked at each time and not at most once a millisecond, for which the cache would need a
  // timer of its own.
  const clock = { perf: { now }, ttlResolution: 0 }
  // Apart, because anybody can make as many refusals as they like: they would push out what is known of
  // everybody else.
  const yes = new LRUCache<string, Known<T>>({ max: most.yes, ...clock })
  const no = new LRUCache<string, Known<T>>({ max: most.no, ...clock })
  const asked = new Map<string, { since: string | undefined; answer: Promise<Result<T>> }>()

  const forget = (question: string): void => {
    yes.delete(question)
    no.delete(question)
  }

  const askNow = (question: string, ask: () => Promise<Remembered<T>>, since?: string): Promise<Result<T>> => {
    const answer = ask()
      .then(({ value, ms }) => {
        forget(question)
        if (ms > 0) (value.ok ? yes : no).set(question, { value, since }, { ttl: ms })
        return value
      })
      .finally(() => {
        if (asked.get(question)?.answer === answer) asked.delete(question)
      })
    asked.set(question, { since, answer })
    return answer
  }

  return {
    get: (question, ask, since) => {
      const fits = (one: { since: string | undefined }) => since === undefined || one.since === since
      const known = yes.get(question) ?? no.get(question)
      if (known && fits(known)) return Promise.resolve(known.value)
      const asking = asked.get(question)
      return asking && fits(asking) ? asking.answer : askNow(question, ask, since)
    },
  }
}
