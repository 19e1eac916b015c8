import { type Answer, backoffMs, type Failure } from '@saoma/client'
import type { LoginRequest, VerificationMode, WaitingRequest } from '@saoma/protocol'
import type { Decision, PhoneApi } from './api.ts'

/** The screen of the phone. */
export type Screen =
  | { status: 'choosing'; error?: string }
  /** `requests`: those that applications have sent to this phone. */
  | { status: 'typing'; requests: readonly WaitingRequest[]; error?: string }
  | { status: 'working' }
  /** The answer was sent; `again` if it had to be repeated. */
  | { status: 'deciding'; decision: Decision; again: boolean }
  /** The login was decided, perhaps by this answer, whose acknowledgement was lost. */
  | { status: 'settled'; decision: Decision }
  /** `until`: milliseconds since 1970 by this phone's clock. */
  | {
      status: 'asking'
      ticket: string
      request: LoginRequest
      until: number
      /** The person typed the code, and may have it from a message. */
      isTyped: boolean
      /** It was sent to this phone, and not scanned. */
      isListed: boolean
      /** How the person confirms. */
      verification: VerificationMode
      error?: string
      /** With the error VERIFICATION_WRONG: how many more numbers may be tried. */
      left?: number
    }
  /** `refused`: too many wrong numbers. `reported`: declined, and the application may not ask again today. */
  | { status: 'confirmed' | 'rejected' | 'reported' | 'expired' | 'not-demo' | 'refused' }
  /** Phone and browser are in different networks. */
  | { status: 'elsewhere'; again: () => void }
  /** `detail` is the business's own sentence for the person. */
  | { status: 'failed'; code: string; detail?: string; again?: () => void }

export interface Phone {
  readonly screen: Screen
  readonly name: string
  choose(name: string): Promise<void>
  /** Returns to the choice of a person. */
  change(): void
  /** Finds the ticket of a typed user code. */
  find(userCode: string): Promise<void>
  /** Shows a request that an application has sent. */
  open(ticket: string): Promise<void>
  /** Declines it: this was not me. */
  report(): Promise<void>
  /** Whether the last request was opened from the list of requests. */
  readonly hasList: boolean
  /** Back to that list. */
  list(): void
  /** `number`: what the person has typed, if a number is asked for. */
  decide(decision: Decision, number?: string): Promise<void>
  close(): void
}

/** After these errors it is unknown whether the server has processed the request. */
const UNCERTAIN: readonly string[] = ['NETWORK', 'INTERNAL', 'REDIS_UNAVAILABLE']
const RETRY = { baseMs: 500, capMs: 4_000 }
/** Milliseconds between two looks for requests. */
const LOOK_MS = 5_000
/** The server knows the outcome of a request for at least this long after its expiry. */
const LATEST_MS = 60_000

/** The names that the server accepts for a demo person. */
export const namePattern = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,31}$/u

/** The demo phone: its person, the question, and the decision. */
export const createPhone = (api: PhoneApi, ticket: string | undefined, update: () => void): Phone => {
  let screen: Screen = { status: 'choosing' }
  let name = ''
  let token = ''
  let hasList = false
  let deadline: ReturnType<typeof setTimeout> | undefined

  /**
   * The current screen. The function call prevents the compiler from narrowing its type to an earlier one.
   */
  const present = (): Screen => screen

  const show = (next: Screen) => {
    clearTimeout(deadline)
    screen = next
    if (next.status === 'typing') deadline = setTimeout(() => void look(), LOOK_MS)
    if (next.status === 'asking') deadline = setTimeout(() => show({ status: 'expired' }), next.until - Date.now())
    update()
  }

  const failed = ({ code, react, detail }: Failure, again: () => void) => {
    if (code === 'TICKET_EXPIRED') return show({ status: 'expired' })
    const own = code === 'ACCOUNT_REFUSED' && detail ? { detail } : {}
    show({ status: 'failed', code, ...own, ...(react === 'retry' ? { again } : {}) })
  }

  /** A phone's token lives for minutes. An expired one is replaced once, silently. */
  const withToken = async <T>(act: (token: string) => Promise<Answer<T>>): Promise<Answer<T>> => {
    const answer = await act(token)
    if (answer.ok || answer.react !== 'reauth') return answer
    const renewed = await api.signIn(name)
    if (!renewed.ok) return renewed
    token = renewed.value.access_token
    return act(token)
  }

  /** Reads what applications have sent. It is read again anyway, so a failure is no news. */
  const look = async () => {
    const before = screen
    if (before.status !== 'typing') return
    const answer = await withToken(api.requests)
    if (present() !== before) return
    show(answer.ok ? { ...before, requests: answer.value } : { ...before })
  }
  const type = (error?: string) => {
    show({ status: 'typing', requests: [], ...(error === undefined ? {} : { error }) })
    void look()
  }

  const scan = async (scanned: string, isListed = false) => {
    show({ status: 'working' })
    const answer = await withToken((token) => api.scan(token, scanned, isListed))
    if (!answer.ok && answer.code === 'VERIFICATION_REQUIRED')
      return show({ status: 'elsewhere', again: () => void scan(scanned, isListed) })
    if (!answer.ok) return failed(answer, () => void scan(scanned, isListed))
    const { request, state, opened, verification } = answer.value
    const until = Date.now() + state.expiresIn * 1_000
    const how = { isTyped: opened === 'typed', isListed, verification }
    show({ status: 'asking', ticket: scanned, request, until, ...how })
  }

  const choose = async (chosen: string) => {
    name = chosen.trim()
    if (!namePattern.test(name)) return show({ status: 'choosing', error: 'badName' })
    show({ status: 'working' })
    const answer = await api.signIn(name)
    if (!answer.ok) {
      if (answer.code === 'invalid_grant') return show({ status: 'not-demo' })
      return failed(answer, () => void choose(chosen))
    }
    token = answer.value.access_token
    hasList = false
    if (ticket) await scan(ticket)
    else type()
  }

  return {
    get screen() {
      return screen
    },
    get name() {
      return name
    },
    choose,
    change: () => show({ status: 'choosing' }),
    find: async (userCode) => {
      show({ status: 'working' })
      const answer = await withToken((token) => api.find(token, userCode.trim().toUpperCase()))
      if (answer.ok) return scan(answer.value)
      if (answer.code === 'NETWORK') return failed(answer, () => type())
      type(answer.code)
    },
    open: (sent) => {
      hasList = true
      return scan(sent, true)
    },
    get hasList() {
      return hasList
    },
    list: () => type(),
    report: async () => {
      if (screen.status !== 'asking') return
      const { ticket } = screen
      const tell = async (): Promise<void> => {
        show({ status: 'working' })
        const answer = await withToken((token) => api.report(token, ticket))
        if (answer.ok) return show({ status: 'reported' })
        failed(answer, () => void tell())
      }
      await tell()
    },
    decide: async (decision, number) => {
      if (screen.status !== 'asking') return
      const { error: _, left: __, ...asking } = screen
      const { application } = asking.request
      const given = {
        ...(application?.party === 'third' ? { scopes: application.scopes } : {}),
        ...(number === undefined ? {} : { number }),
      }
      let isUncertain = false
      for (let attempt = 0; ; attempt++) {
        const telling: Screen = { status: 'deciding', decision, again: attempt > 0 }
        show(telling)
        const answer = await withToken((token) => api.decide(token, asking.ticket, decision, given))
        if (present() !== telling) return
        if (answer.ok) return show({ status: decision === 'confirm' ? 'confirmed' : 'rejected' })
        isUncertain ||= UNCERTAIN.includes(answer.code)
        // The server has forgotten the ticket: it was decided minutes ago, perhaps by this very answer.
        const isOver = answer.code === 'TICKET_SETTLED' || answer.code === 'TICKET_NOT_FOUND'
        if (isOver && isUncertain) return show({ status: 'settled', decision })
        if (answer.code === 'VERIFICATION_WRONG' && answer.left === 0) return show({ status: 'refused' })
        if (answer.code.startsWith('VERIFICATION_')) {
          const { code: error, left } = answer
          return show({ ...asking, error, ...(left === undefined ? {} : { left }) })
        }
        if (answer.react !== 'retry') return failed(answer, () => show(asking))
        // The server decided nothing, and there may be time left, so the same question stays.
        if (!isUncertain && asking.until > Date.now()) return show({ ...asking, error: answer.code })
        // If the answer may have arrived, the phone repeats this same answer until the outcome is known.
        if (Date.now() > asking.until + LATEST_MS) return failed(answer, () => void show(asking))
        await new Promise((done) =>
          setTimeout(done, Math.max(answer.retryAfterMs ?? 0, backoffMs(attempt, RETRY, Math.random))),
        )
        if (present() !== telling) return
      }
    },
    close: () => clearTimeout(deadline),
  }
}
