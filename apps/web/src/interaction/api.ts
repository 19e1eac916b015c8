import { boundBy } from '@saoma/client'

/** A registered application, as its pages show it. */
export interface Application {
  id: string
  name: string
  logo?: string
}

/** What an authorization request waits for. PROTOCOL.md has its members. */
export interface Details {
  prompt: 'login' | 'consent'
  application: Application
  scopes: string[]
  claims: string[]
  languages: string[]
}

/** What the person has done. */
export type Step = 'login' | 'consent' | 'abort'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5_000
const TIMEOUT_MS = 10_000

/**
 * Asks until there is an answer: a node may be killed at any moment, and Redis comes back. Undefined if the
 * request is over, or is not of this browser.
 */
export const ask = async (address: string, init: RequestInit = {}): Promise<unknown> => {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const { signal, release } = boundBy([], TIMEOUT_MS)
    try {
      const answer = await fetch(address, { ...init, cache: 'no-store', signal })
      if (answer.ok) return await answer.json()
      if (answer.status < 500 && answer.status !== 429) return undefined
    } catch {
      // No answer. The next try may reach another node.
    } finally {
      release()
    }
    await new Promise((done) => setTimeout(done, pauseMs))
  }
}

/** @param path  of the page, which names the request */
export const createApi = (path: string) => ({
  details: async (): Promise<Details | undefined> => (await ask(`${path}/details`)) as Details | undefined,
  /** Resolves with the address at which the browser goes on. Each step may be repeated. */
  finish: async (step: Step, token?: string): Promise<string | undefined> => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const done = (await ask(`${path}/${step}`, { method: 'POST', headers })) as { location: string } | undefined
    return done?.location
  },
})
