import { type Answer, type Failure, failureFor, unanswered } from './request.ts'

/**
 * Returns the token for the server; `session.accessToken` is such a function. `renew` is true when the last
 * token was refused or is about to expire: do not return it again. A rejection or a failure whose `react` is
 * `retry` is retried; any other failure ends the connection.
 */
export type TokenSource = string | ((why: { renew: boolean }) => Given | Promise<Given>)

/** Tokens that renew themselves and may end, such as a session. */
export interface TokenSession {
  accessToken(): Promise<Answer<string>>
  refresh(): Promise<Answer<string>>
  on(event: 'ended', listener: () => void): () => void
}

type Given = string | Answer<string>

/** The current token. Concurrent callers share one request. */
export interface Tokens {
  get(): Promise<Answer<string>>
  /** Gets a new token instead of the last one. */
  renew(): Promise<Answer<string>>
  /** The server refused this token. Returns true if another token may be accepted. */
  refuse(token: string, failure: Failure): boolean
  /** The server accepted the present token. */
  accept(): void
}

/** Longer than a session takes for all of its own tries. */
const TIMEOUT_MS = 60_000
/** After this many refused tokens in a row it gives up. */
const MAX_REFUSALS = 3

/** A page without types may return no token. */
const noToken = (): Failure => ({
  ...failureFor('UNAUTHORIZED'),
  message: 'There is no token: nobody is logged in here.',
})

/** @param onEnd  called when the server will accept no further token */
export const createTokens = (source: TokenSource, onEnd: (failure: Failure) => void): Tokens => {
  let last: string | undefined
  let outdated = false
  let refusals = 0
  let inFlight: Promise<Answer<string>> | undefined

  const ask = async (): Promise<Answer<string>> => {
    const renew = outdated
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<Failure>((resolve) => {
      timer = setTimeout(() => resolve(unanswered('The token did not arrive in time.')), TIMEOUT_MS)
    })
    try {
      const given = await Promise.race([typeof source === 'function' ? source({ renew }) : source, timeout])
      const answer: Answer<string> = !given ? noToken() : typeof given === 'object' ? given : { ok: true, value: given }
      if (answer.ok) {
        last = answer.value
        if (renew) outdated = false
      } else if (answer.react !== 'retry') {
        onEnd(answer)
      }
      return answer
    } catch (error) {
      return unanswered(error)
    } finally {
      clearTimeout(timer)
    }
  }

  const get = (): Promise<Answer<string>> => {
    inFlight ??= ask().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  return {
    get,
    renew: () => {
      outdated = true
      // A running request began earlier and may return the old token.
      return inFlight ? inFlight.then(get) : get()
    },
    refuse: (token, failure) => {
      // Several requests may fail with the same token. Only the first one counts.
      const isNew = token === last && !outdated
      if (isNew) {
        outdated = true
        refusals++
      }
      const isOver = failure.code === 'REVOKED' || failure.code === 'REPLACED'
      const hope = !isOver && refusals < MAX_REFUSALS
      if (!hope) onEnd(failure)
      return hope
    },
    accept: () => {
      refusals = 0
    },
  }
}
