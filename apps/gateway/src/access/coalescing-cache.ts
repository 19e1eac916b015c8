import type { Result } from '@saoma/protocol'
import { LRUCache } from 'lru-cache'

/** An answer, and how many milliseconds it may be cached. */
export interface Remembered<T> {
  value: Result<T>
  ms: number
}

/** A cache with single flight: concurrent calls with the same question share one request. */
export interface CoalescingCache<T> {
  /**
   * `since` names a cache generation. If it is given, cached and
   * pending answers of another generation are ignored.
   */
  get(question: string, ask: () => Promise<Remembered<T>>, since?: string): Promise<Result<T>>
}

interface Known<T> {
  value: Result<T>
  since: string | undefined
}

/**
 * @param most  LRU sizes for positive and negative answers
 * @param now  the clock, in milliseconds; its zero is arbitrary, but it must not return 0
 */
export const createCoalescingCache = <T>(
  most: { yes: number; no: number },
  now: () => number = () => performance.now(),
): CoalescingCache<T> => {
  // Read the clock on every access. With a `ttlResolution` the cache would need a timer of its own.
  const clock = { perf: { now }, ttlResolution: 0 }
  // Two caches, because anybody can cause any number of refusals. In one cache they would evict the positive
  // answers of everybody else.
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
