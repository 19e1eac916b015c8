import { type Answer, type Failure, failureFor, unanswered } from './request.ts'

/**
 * Gives the token to be shown to the server; `session.accessToken` is one. `renew` is true when the token
 * given last was refused or is about to end: then the same one is of no use. A failure whose `react` is
 * `retry`, like a rejection, is asked for again; any other is the end.
 */
export type TokenSource = string | ((why: { renew: boolean }) => Given | Promise<Given>)

/** Tokens that renew themselves, and may end: a session is one. */
export interface TokenSession {
  accessToken(): Promise<Answer<string>>
  refresh(): Promise<Answer<string>>
  on(event: 'ended', listener: () => void): () => void
}

type Given = string | Answer<string>

/** The token of the moment, for all that need it at the same time. */
export interface Tokens {
  get(): Promise<Answer<string>>
  /** Asks for another token than the last. */
  renew(): Promise<Answer<string>>
  /** The server would not have this token. True: the next one may do better. */
  refuse(token: string, failure: Failure): boolean
  /** The server has taken the present token. */
  accept(): void
}

/** Longer than a session takes for all of its own tries. */
const TIMEOUT_MS = 60_000
/** Tokens that are refused one after the other before it is given up. */
const MAX_REFUSALS = 3

/** A page without types may give none. */
const noToken = (): Failure => ({
  ...failureFor('UNAUTHORIZED'),
  message: 'There is no token: nobody is logged in here.',
})

/** @param onEnd  there is no token any more that the server would take */
export const createTokens = (source: TokenSource, onEnd: (failure: Failure) => void): Tokens => {
  let last: string | undefined
  let outdated = false
  let refusals = 0
  let inFlight: Promise<Answer<string>> | undefined

  const ask = async (): Promise<Answer<string>> => {
    const renew = outdated
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<Failure>((resolve) => {
      timer = setTimeout(() => resolve(unanswered('The token did not come in time.')), TIMEOUT_MS)
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
      // A question that is under way was asked before this one, and may be answered with the old token.
      return inFlight ? inFlight.then(get) : get()
    },
    refuse: (token, failure) => {
      // Several requests may come back with the same token, and the first has already seen to it.
      const isNew = token === last && !outdated
      if (isNew) {
        outdated = true
        refusals++
      }
      const hope = failure.code !== 'REVOKED' && refusals < MAX_REFUSALS
      if (!hope) onEnd(failure)
      return hope
    },
    accept: () => {
      refusals = 0
    },
  }
}
