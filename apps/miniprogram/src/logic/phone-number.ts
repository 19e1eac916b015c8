import type { Answer, Failure, KeyValue } from '@saoma/client'

/** What WeChat's button tells the page (`getphonenumber`). Only with a code there is a number. */
export interface ButtonAnswer {
  code?: string
  /** `getPhoneNumber:ok`, or what went wrong. */
  errMsg?: string
}

/**
 * The question for the person's phone number, before the phone first says who they are: the business may know
 * them by it. Each press of the button costs the operator money. So a person is asked once on each phone,
 * unless the business then refuses them.
 */
export interface PhoneNumber {
  /** Whether to ask now. */
  readonly isDue: boolean
  /** To be sent with the next request for a token. It stays until the server has said what became of it. */
  readonly code: string | undefined
  /** Whether the person gave a number in this run that did not get through. Nothing else is lost by that. */
  readonly isLost: boolean
  /**
   * Requests for tokens, one after another: each only when the person was asked, if that is due. Two requests
   * with one code could both be refused. Fails with `NUMBER_DUE` if the person has left the question open.
   */
  inTurn<T>(act: () => Promise<Answer<T>>): Promise<Answer<T>>
  /** The page with the question was closed without an answer. */
  leave(): void
  /** The person has pressed the button. */
  press(answer: ButtonAnswer): void
  /** The person would rather not tell. */
  skip(): void
  /** The person has a token. @param outcome  what the server says of the code */
  settle(outcome: string | undefined): void
  /** The person is refused: a number may help next time, or another code. Returns whether there was none. */
  refuse(): boolean
}

const KEY = 'saoma:phone-number:asked'
/** The person has said no to WeChat's own question. Other failures are not the person's. */
const DENIED = /deny|cancel/

const left: Failure = { ok: false, code: 'NUMBER_DUE', react: 'stop', message: 'the question for the number is open' }

/**
 * @param isAsked  whether the operator wants the number
 * @param ask  shows the question, when a request waits for it. It calls `failed` if it cannot
 */
export const createPhoneNumber = (
  storage: KeyValue,
  isAsked: boolean,
  ask: (failed: () => void) => void = () => {},
): PhoneNumber => {
  /** Goes on with the request that waits for the person's answer. */
  let goOn: ((isAnswered: boolean) => void) | undefined
  let last: Promise<unknown> = Promise.resolve()
  let code: string | undefined
  let isDone = false
  let isLost = false

  const remember = () => {
    try {
      storage.setItem(KEY, '1')
    } catch {
      // The storage is full: the person is asked again when the program starts the next time.
    }
  }

  const isDue = () => isAsked && !isDone && storage.getItem(KEY) === null
  const asked = (): Promise<boolean> =>
    new Promise((resolve) => {
      if (!isDue()) return resolve(true)
      goOn = resolve
      ask(() => resolve(false))
    })

  return {
    get isDue() {
      return isDue()
    },
    get code() {
      return code
    },
    get isLost() {
      return isLost
    },
    inTurn: (act) => {
      const turn = last.then(async () => ((await asked()) ? act() : left))
      last = turn.catch(() => {})
      return turn
    },
    leave: () => goOn?.(false),
    press: (answer) => {
      isDone = true
      // Versions of WeChat before 2.21.2 give no code, and what they give instead is not used.
      if (answer.code) code = answer.code
      else if (DENIED.test(answer.errMsg ?? '')) remember()
      // An operator has to see it: the number is not in the privacy agreement, or the package is used up.
      else console.warn(`Saoma: no phone number, ${answer.errMsg}`)
      goOn?.(true)
    },
    skip: () => {
      isDone = true
      remember()
      goOn?.(true)
    },
    settle: (outcome) => {
      if (code === undefined) return
      code = undefined
      isLost = outcome === 'rejected' || outcome === 'unavailable'
      if (!isLost) remember()
    },
    refuse: () => {
      if (!isAsked) return false
      const hadNone = code === undefined
      code = undefined
      isDone = false
      storage.removeItem(KEY)
      return hadNone
    },
  }
}
