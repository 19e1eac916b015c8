import type { LoginRequest, VerificationMode, WaitingRequest } from '@saoma/protocol'
import type { ButtonAnswer } from './phone-number.ts'

/** How the code reached the login page. */
export interface Entry {
  /** `query.scene` as WeChat delivers it, URL-encoded. Absent: the page was opened without a code. */
  scene?: string | undefined
  /** WeChat's number for how the program was opened, from `wx.getEnterOptionsSync()`. */
  launchScene: number
}

/**
 * Why the code may come from an attacker who wants to be logged in as this person.
 * - `album`, `long-press`, `forwarded`: it came from a picture or a message, not from a camera.
 * - `link`: it came as a link on this phone, which is usual.
 * - `link-elsewhere`: it came as a link, and the requester is on another network than this phone.
 * - `typed`: the person typed it, and may have it from a message (RFC 10027, section 4.3.2).
 */
export type Warning = 'album' | 'long-press' | 'forwarded' | 'link' | 'link-elsewhere' | 'typed'

export type Decision = 'confirm' | 'reject'

/** The question to the person. */
export interface Question {
  ticket: string
  /** The requester. The person compares `userCode` with the other screen. */
  request: LoginRequest
  sameNetwork: boolean
  /** How the person confirms. With `number` they type the two digits of the other screen. */
  verification: VerificationMode
  warning: Warning | undefined
  /** It was sent to the person, and not scanned. */
  isListed?: boolean
  /** The person gave a phone number, and WeChat did not tell it to the server. The login goes on without. */
  numberLost?: boolean
  /** When the time to answer is over: milliseconds since 1970 by this phone's clock. */
  until: number
}

/**
 * The screen of the login page. `error` is a code that `sayCode` puts into words: of the protocol, of OAuth,
 * or `NETWORK`.
 *
 * - `no-code`: nothing was scanned. The page explains how to scan, and accepts a typed user code. `requests`:
 *   those that applications, or browsers which the person has had remembered, have sent.
 * - `number`: the person may give a phone number, or go on without.
 * - `opening`: please wait.
 * - `checking`: the person types the check number. `busy` while the server checks it.
 * - `asking`: the question. `left`: after a wrong number, how many more may be tried. `deciding`: the answer
 *   was sent.
 * - `void`: several people have scanned the code.
 * - `elsewhere`: phone and browser have to be in one network, and are not. The person may try again.
 * - `refused`: the number was wrong too often.
 * - `reported`: declined, and whoever sent the request cannot ask again for a day.
 * - `settled`: the login was decided before. `answered` is this person's answer, if the server may have
 *   accepted it. The other screen shows the actual decision.
 * - `failed`: `canRetry` if a retry may help. `detail` is the business's own sentence for the person.
 * - `offline`: nothing is lost, and the page continues by itself when the network is back.
 */
export type LoginScreen =
  | { status: 'no-code'; error?: string; requests?: readonly WaitingRequest[] }
  | { status: 'number' }
  | { status: 'opening' }
  | { status: 'checking'; busy: boolean; error?: string }
  | { status: 'asking'; question: Question; error?: string; left?: number }
  | { status: 'deciding'; question: Question; decision: Decision }
  | { status: 'settled'; answered?: Decision }
  | { status: 'confirmed'; messages?: 'offered' | 'agreed' }
  | { status: 'declined' | 'reported' | 'expired' | 'taken' | 'void' | 'not-found' | 'elsewhere' | 'refused' }
  | { status: 'failed'; code: string; detail?: string; canRetry: boolean }
  | { status: 'offline' }

/** The login page, from the scan to the decision. */
export interface LoginPage {
  readonly screen: LoginScreen
  /** Starts over with this code. Answers for the previous code are ignored. */
  open(entry: Entry): void
  /** Asks for the phone number only, because another page needs to know who the person is. */
  ask(onAnswer: () => void): void
  /** Takes a user code instead of a scan, in upper or lower case, with or without dashes. */
  findUserCode(userCode: string): void
  /** Takes a request that was sent to the person, instead of a scan. */
  openRequest(ticket: string): void
  /** Declines such a request: this was not me. Whoever sent it cannot ask again for a day. */
  report(): void
  /** The check number, two digits. */
  giveCheck(check: string): void
  /** After a login: asks for a message about the next request. To be called by the handler of a tap. */
  agree(): void
  /** What WeChat's button for the phone number has told. */
  giveNumber(answer: ButtonAnswer): void
  /** Goes on without a phone number. */
  skipNumber(): void
  /** @param number  what the person has typed, if the question asks for a number */
  confirm(number?: string): void
  decline(): void
  /** In `failed`, `elsewhere` and `offline`: tries again now. */
  retry(): void
  /** Stops everything. Later answers are ignored. */
  close(): void
}
