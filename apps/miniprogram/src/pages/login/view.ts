import type { LoginRequest } from '@saoma/protocol'
import type { LoginScreen, Warning } from '../../logic/login-screen.ts'
import type { Text } from '../../logic/text.ts'

type Theme = 'success' | 'warning' | 'error' | 'default'
export type Action = 'retry' | 'another' | 'devices'

interface Asking {
  kind: 'ask'
  title: string
  warning: string
  /** Tone of the notice. */
  tone: 'info' | 'error'
  facts: readonly { label: string; value: string }[]
  userCode: string
  /** Set if the application belongs to somebody else: that it does, and what it would get. */
  foreign: string
  asks: readonly string[]
  /** What to be careful about. */
  caution: string
  /** Whether the person has to type the two digits of the other screen. */
  digits: boolean
  /** Whether an application has sent the request, so that the person may say: this was not me. */
  pushed: boolean
  /** The decision that is being sent. */
  sending: '' | 'confirm' | 'reject'
  left: string
  /** What the person should know besides. */
  notice: string
  error: string
}

/** Of the message about the next request to log in. Empty: nothing is said of it. */
type Messages = '' | 'offered' | 'agreed'

/** The data of the page. No value is undefined. */
export type LoginView =
  | { kind: 'wait'; title: string }
  | { kind: 'number' }
  | { kind: 'enter'; error: string; requests: readonly { ticket: string; app: string; about: string }[] }
  | { kind: 'check'; busy: boolean; error: string }
  | Asking
  | { kind: 'result'; theme: Theme; title: string; hint: string; action: Action; label: string; messages: Messages }

/** Every warning but that of an ordinary link is a reason to decline. */
const toneOf = (warning: Warning): Asking['tone'] => (warning === 'link' ? 'info' : 'error')

export const loginView = (screen: LoginScreen, text: Text, now: number): LoginView => {
  const { words, sayCode, fill } = text
  const { login } = words
  const result = (theme: Theme, title: string, hint: string, action: Action): LoginView => ({
    kind: 'result',
    theme,
    title,
    hint,
    action,
    label: action === 'retry' ? words.retry : login[action],
    messages: screen.status === 'confirmed' ? (screen.messages ?? '') : '',
  })

  switch (screen.status) {
    case 'no-code':
      return {
        kind: 'enter',
        error: sayError(screen.error, text),
        requests: (screen.requests ?? []).map(({ ticket, app, message, requestedAt }) => ({
          ticket,
          app,
          about: [message, text.sayAge(requestedAt)].filter(Boolean).join(' · '),
        })),
      }
    case 'number':
      return { kind: 'number' }
    case 'opening':
      return { kind: 'wait', title: login.opening }
    case 'checking':
      return { kind: 'check', busy: screen.busy, error: sayError(screen.error, text) }
    case 'asking':
    case 'deciding': {
      const { request, warning, until, numberLost, verification, isListed } = screen.question
      const { application, pushed } = request
      const isForeign = application?.party === 'third'
      const sayScope = (scope: string): string => login.scopes[scope as keyof typeof login.scopes] ?? scope
      return {
        kind: 'ask',
        title: fill(login.asks, { app: request.app }),
        warning: warning ? login.warnings[warning] : '',
        tone: warning ? toneOf(warning) : 'info',
        facts: [
          ...(pushed ? [] : whereOf(request, text)),
          { label: login.asked, value: text.sayAge(request.requestedAt) },
        ],
        userCode: request.userCode || (pushed?.message ?? ''),
        foreign: isForeign ? fill(login.foreign, { app: request.app }) : '',
        asks: isForeign ? application.scopes.map(sayScope) : [],
        caution: isListed ? login.pushedCaution : application ? login.deviceCaution : login.caution,
        digits: verification === 'number',
        pushed: isListed === true,
        sending: screen.status === 'deciding' ? screen.decision : '',
        left: fill(login.left, { n: Math.max(0, Math.ceil((until - now) / 1_000)) }),
        notice: numberLost ? login.numberLost : '',
        error: screen.status === 'asking' ? sayMistake(screen, text) : '',
      }
    }
    case 'confirmed':
      return result('success', login.confirmed, login.confirmedHint, 'devices')
    case 'declined':
      return result('default', login.declined, login.declinedHint, 'devices')
    case 'reported':
      return result('default', login.declined, login.reportedHint, 'devices')
    case 'expired':
      return result('warning', login.expired, login.expiredHint, 'another')
    case 'refused':
      return result('error', login.refused, login.refusedHint, 'devices')
    case 'elsewhere':
      return result('warning', login.elsewhere, login.elsewhereHint, 'retry')
    case 'taken':
      return result('error', login.taken, login.takenHint, 'another')
    case 'void':
      return result('error', login.void, login.voidHint, 'another')
    case 'settled':
      if (screen.answered === 'confirm') return result('warning', login.settled, login.settledConfirm, 'devices')
      if (screen.answered === 'reject') return result('warning', login.settled, login.settledReject, 'devices')
      return result('default', login.settled, login.settledHint, 'another')
    case 'not-found':
      return result('warning', login.notFound, login.notFoundHint, 'another')
    case 'failed':
      return result('error', login.failed, screen.detail ?? sayCode(screen.code), screen.canRetry ? 'retry' : 'another')
    case 'offline':
      return result('warning', login.offline, login.offlineHint, 'retry')
  }
}

/** Where a request comes from. */
const whereOf = ({ ip, browser, os, application }: LoginRequest, { words }: Text): Asking['facts'] => [
  { label: words.login.address, value: ip || words.unknown },
  { label: words.login.browser, value: browser || (application ? words.login.noBrowser : words.unknown) },
  { label: words.login.system, value: os || words.unknown },
]

/** What is wrong with the answer of before. */
const sayMistake = (
  { error, left = 0, question }: Extract<LoginScreen, { status: 'asking' }>,
  { words: { login }, sayCode, fill }: Text,
): string => {
  if (error === 'VERIFICATION_WRONG') return fill(login.digitsWrong, { n: left })
  if (error === 'VERIFICATION_REQUIRED' && question.verification === 'network') return login.elsewhereHint
  return error === undefined ? '' : sayCode(error)
}

/** The error for a typed value, which has its own text on these pages. */
const sayError = (code: string | undefined, { words: { login }, sayCode }: Text): string => {
  if (code === undefined) return ''
  if (code === 'CHECK_WRONG') return login.checkWrong
  return code === 'TICKET_NOT_FOUND' || code === 'INVALID' ? login.noSuchCode : sayCode(code)
}
