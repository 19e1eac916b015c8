import { browserStorage, createStored } from '../core/storage.ts'

/** What the authorization endpoint says, in the address of the callback page (RFC 6749, section 4.1.2). */
export interface CodeAnswer {
  state: string
  code?: string
  error?: string
  /** Who says it (RFC 9207). */
  iss?: string
}

/** A login for which this tab has left its page. */
export interface Leaving {
  state: string
  nonce: string
  verifier: string
  origin: string
  clientId: string
  redirectUri: string
  /** The page that was left. */
  returnTo: string
  /** What came back. */
  answer?: CodeAnswer
}

/** By its beginning an answer is known to be ours, and whether a window of its own has it. */
const OURS = 'saoma.'
const IN_WINDOW = `${OURS}window.`
export const stateFor = (inWindow: boolean, random: string): string => `${inWindow ? IN_WINDOW : OURS}${random}`

/** Name of the channel by which a window tells its answer to the page that opened it. */
export const ANSWERS = 'saoma:code-login'

const isText = (value: unknown): value is string => typeof value === 'string'

export const isCodeAnswer = (value: unknown): value is CodeAnswer =>
  typeof value === 'object' && value !== null && 'state' in value && isText(value.state) && value.state.startsWith(OURS)

const MEMBERS = ['state', 'nonce', 'verifier', 'origin', 'clientId', 'redirectUri', 'returnTo'] as const
const isLeaving = (value: unknown): value is Leaving =>
  typeof value === 'object' &&
  value !== null &&
  MEMBERS.every((name) => isText((value as Record<string, unknown>)[name]))

/** The login for which this tab has left its page. */
export const createLeavings = () => {
  const stored = createStored(browserStorage('sessionStorage'), ANSWERS)
  return {
    read: (): Leaving | undefined => {
      const leaving = stored.read()
      return isLeaving(leaving) ? leaving : undefined
    },
    write: (leaving: Leaving): void => stored.write(leaving),
    clear: stored.clear,
  }
}

const answerIn = (search: string): CodeAnswer | undefined => {
  const answer = Object.fromEntries(new URLSearchParams(search))
  return isCodeAnswer(answer) && (answer.code ?? answer.error) !== undefined ? answer : undefined
}

/**
 * All that a callback page of `<saoma-login client-id="…">` has to do: it takes the answer out of its own
 * address to the page that asked for the login. A window closes, a tab returns to that page. Returns whether
 * there was such an answer.
 *
 * @example
 * ```ts
 * import { answerLogin } from '@saoma/client'
 *
 * // Nobody comes back to this page from a login.
 * console.log(answerLogin()) // -> false
 * ```
 */
export const answerLogin = (): boolean => {
  const { location, opener } = globalThis as Partial<Pick<Window, 'location' | 'opener'>>
  const answer = location && answerIn(location.search)
  if (!answer) return false
  if (answer.state.startsWith(IN_WINDOW)) {
    // A page that isolates itself has no opener. One in a frame hears no channel.
    const channel = new BroadcastChannel(ANSWERS)
    channel.postMessage(answer)
    channel.close()
    ;(opener as Window | null)?.postMessage(answer, location.origin)
    close()
    return true
  }
  const leavings = createLeavings()
  const leaving = leavings.read()
  if (leaving?.state !== answer.state) return false
  leavings.write({ ...leaving, answer })
  location.replace(leaving.returnTo)
  return true
}
