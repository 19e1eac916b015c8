import type { LoginRequest } from '@saoma/protocol'

/** How a code got to the login page. */
export interface Entry {
  /** `query.scene` as WeChat delivers it, URL-encoded. Absent: the page was opened without a code. */
  scene?: string | undefined
  /** WeChat's number for the way in, of `wx.getEnterOptionsSync()`. */
  launchScene: number
}

/**
 * Why the code may be somebody else's, who wants to be logged in as this person. `album`, `long-press` and
 * `forwarded`: it was no camera that read it, but a picture or a message. `link`: a link on this phone, which
 * is as usual; `link-elsewhere`: a link, and who asks is on another network than this phone.
 */
export type Warning = 'album' | 'long-press' | 'forwarded' | 'link' | 'link-elsewhere'

export type Decision = 'confirm' | 'reject'

/** What the person is asked. */
export interface Question {
  ticket: string
  /** Who asks; `userCode` is to be compared with the other screen. */
  request: LoginRequest
  sameNetwork: boolean
  warning: Warning | undefined
  /** Milliseconds since 1970 by this phone's clock: the time to answer is over then. */
  until: number
}

/**
 * What the login page shows. `error` is a code to be put into words by `sayCode`: of the protocol, of OAuth,
 * or `NETWORK`.
 *
 * - `no-code`: nothing was scanned. Says how to, and takes a user code that is typed.
 * - `opening`: one moment.
 * - `checking`: the number beside the code must be typed; `busy` while it is looked at.
 * - `asking`: the question. `deciding`: its answer is on the way.
 * - `settled`: decided before. `answered` is what this person answered here, if the server may have taken it:
 *   the other screen shows which it was.
 * - `failed`: `canRetry` when it may work another time.
 * - `offline`: nothing is lost, and it goes on by itself when the network is back.
 */
export type LoginScreen =
  | { status: 'no-code'; error?: string }
  | { status: 'opening' }
  | { status: 'checking'; busy: boolean; error?: string }
  | { status: 'asking'; question: Question; error?: string }
  | { status: 'deciding'; question: Question; decision: Decision }
  | { status: 'settled'; answered?: Decision }
  | { status: 'confirmed' | 'declined' | 'expired' | 'taken' | 'not-found' }
  | { status: 'failed'; code: string; canRetry: boolean }
  | { status: 'offline' }

/** The login page, from what was scanned to what was decided. */
export interface LoginPage {
  readonly screen: LoginScreen
  /**
   * Begins with this code. Whatever was there before is left as it is, and its late answers are not heard.
   */
  open(entry: Entry): void
  /** A user code, in place of a scan; upper or lower case, with or without dashes. */
  findUserCode(userCode: string): void
  /** The number beside the code, two digits. */
  giveCheck(check: string): void
  confirm(): void
  decline(): void
  /** Of `failed` and `offline`: tries again now. */
  retry(): void
  /** Nothing is heard of it any more. */
  close(): void
}
