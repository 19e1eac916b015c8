/** The server's time. A phone's clock may be wrong by minutes, which is all the time that a login has. */
export interface ServerClock {
  /** Milliseconds since 1970, to about a second; by the phone's clock until the server has answered once. */
  now(): number
  /** Asks, and reads the time off the answer. */
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
