/** An answer, and the milliseconds for which it may be given again. */
export interface Remembered<T> {
  value: T
  ms: number
}

/** Answers by their question. However many ask the same at once, it is asked once. */
export interface Answers<T> {
  get(question: string, ask: () => Promise<Remembered<T>>): Promise<T>
  /** Asks now, whatever is known or being asked. */
  anew(question: string, ask: () => Promise<Remembered<T>>): Promise<T>
}

/** @param most  answers kept; the one that was given last the longest ago goes first */
export const createAnswers = <T>(most: number): Answers<T> => {
  const known = new Map<string, { value: T; until: number }>()
  const asked = new Map<string, Promise<T>>()

  const anew = (question: string, ask: () => Promise<Remembered<T>>): Promise<T> => {
    const asking = ask()
      .then(({ value, ms }) => {
        known.delete(question)
        if (ms > 0) known.set(question, { value, until: performance.now() + ms })
        const [oldest] = known.keys()
        if (known.size > most && oldest !== undefined) known.delete(oldest)
        return value
      })
      .finally(() => {
        if (asked.get(question) === asking) asked.delete(question)
      })
    asked.set(question, asking)
    return asking
  }

  return {
    anew,
    get: (question, ask) => {
      const answer = known.get(question)
      // A Map keeps the order of insertion: what is put in again is the newest.
      known.delete(question)
      if (answer && performance.now() < answer.until) {
        known.set(question, answer)
        return Promise.resolve(answer.value)
      }
      return asked.get(question) ?? anew(question, ask)
    },
  }
}
