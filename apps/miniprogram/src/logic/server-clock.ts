/** The server's time. A phone's clock may be wrong by minutes, and a login lasts only minutes. */
export interface ServerClock {
  /** Milliseconds since 1970, accurate to about a second. The phone's clock until the first answer. */
  now(): number
  /** Sends a request, and reads the server's time from the answer. */
  fetch: typeof fetch
}

export const createServerClock = (fetch: typeof globalThis.fetch, now: () => number): ServerClock => {
  let ahead = 0
  return {
    now: () => now() + ahead,
    fetch: async (input, init) => {
      const answer = await fetch(input, init)
      const time = Date.parse(answer.headers.get('date') ?? '')
      if (Number.isFinite(time)) ahead = time - now()
      return answer
    },
  }
}
