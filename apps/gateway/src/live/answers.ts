import type { Result } from '@saoma/protocol'

/** An answer, and the milliseconds for which it may be given again. */
export interface Remembered<T> {
  value: Result<T>
  ms: number
}

/** Answers by their question. However many ask the same at once, it is asked once. */
export interface Answers<T> {
  /**
   * `since` is a word for something that an answer has to know of: with one, only what was asked with the same word counts, be it
   * remembered or still being asked.
   */
  get(question: string, ask: () => Promise<Remembered<T>>, since?: string): Promise<Result<T>>
}

interface Known<T> {
  value: Result<T>
  since: string | undefined
  until: number
}

/** @param most  answers kept, those that say yes and those that say no: of each, the one that was given last the longest ago goes first */
export const createAnswers = <T>(most: { yes: number; no: number }): Answers<T> => {
  // Apart, because anybody can make as many refusals as they like: they would push out what is known of everybody else.
  const yes = new Map<string, Known<T>>()
  const no = new Map<string, Known<T>>()
  const asked = new Map<string, { since: string | undefined; answer: Promise<Result<T>> }>()

  const keep = (question: string, known: Known<T>): void => {
    const [memory, size] = known.value.ok ? [yes, most.yes] : [no, most.no]
    memory.set(question, known)
    const [oldest] = memory.keys()
    if (memory.size > size && oldest !== undefined) memory.delete(oldest)
  }

  const forget = (question: string): Known<T> | undefined => {
    const known = yes.get(question) ?? no.get(question)
    yes.delete(question)
    no.delete(question)
    return known
  }

  const askNow = (question: string, ask: () => Promise<Remembered<T>>, since?: string): Promise<Result<T>> => {
    const answer = ask()
      .then(({ value, ms }) => {
        forget(question)
        if (ms > 0) keep(question, { value, since, until: performance.now() + ms })
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
      // A Map keeps the order of insertion: what is put in again is the newest.
      const known = forget(question)
      if (known && performance.now() < known.until) {
        keep(question, known)
        if (fits(known)) return Promise.resolve(known.value)
      }
      const asking = asked.get(question)
      return asking && fits(asking) ? asking.answer : askNow(question, ask, since)
    },
  }
}
