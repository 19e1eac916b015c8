import type { Answer, Failure, Page } from '@saoma/client'
import type { ScanAnswer } from '@saoma/protocol'
import { readCode, typed } from './code.ts'
import type { LoginMessages } from './login-messages.ts'
import { questionOf } from './login-question.ts'
import type { Decision, Entry, LoginPage, LoginScreen, Question } from './login-screen.ts'
import { type PersistOptions, persist } from './persist.ts'
import type { PhoneApi } from './phone-api.ts'
import type { PhoneNumber } from './phone-number.ts'
import { onReturn } from './return.ts'

export interface LoginPageDeps {
  api: PhoneApi
  phoneNumber: PhoneNumber
  messages: LoginMessages
  page: Page
  now: () => number
  random: () => number
}

/** After these errors it is unknown whether the server has processed the request. */
const UNCERTAIN: readonly string[] = ['NETWORK', 'INTERNAL', 'REDIS_UNAVAILABLE']
const USER_CODE = /^[A-Z]{8}$/
const DIGITS = /^\d{2}$/

export const createLoginPage = (deps: LoginPageDeps, onChange: () => void): LoginPage => {
  const { api, phoneNumber, messages, page, now, random } = deps
  let screen: LoginScreen = { status: 'opening' }
  let entry: Entry | undefined
  /** Aborted when another code is opened, because answers for the previous code are not for this screen. */
  let round = new AbortController()
  let again: () => void = () => {}
  let deadline: ReturnType<typeof setTimeout> | undefined

  const show = (next: LoginScreen) => {
    clearTimeout(deadline)
    screen = next
    if (next.status === 'asking') {
      const leftMs = next.question.until - now()
      if (leftMs <= 0) return show({ status: 'expired' })
      deadline = setTimeout(() => show({ status: 'expired' }), leftMs)
    }
    onChange()
  }

  const begin = () => {
    round.abort()
    round = new AbortController()
  }

  /** The screen after a failure that does not concern the person's last input. */
  const failed = ({ code, react, detail }: Failure) => {
    switch (code) {
      case 'TICKET_EXPIRED':
        return show({ status: 'expired' })
      case 'TICKET_TAKEN':
        return show({ status: 'taken' })
      case 'TICKET_VOID':
        return show({ status: 'void' })
      case 'TICKET_SETTLED':
        return show({ status: 'settled' })
      case 'TICKET_NOT_FOUND':
        return show({ status: 'not-found' })
      // Of a scan: the yes has its own.
      case 'VERIFICATION_REQUIRED':
        return show({ status: 'elsewhere' })
    }
    if (code === 'NETWORK' && !page.online) return show({ status: 'offline' })
    const isRejected = code === 'PHONE_CODE_REJECTED'
    if (code !== 'ACCOUNT_REFUSED' && !isRejected) return show({ status: 'failed', code, canRetry: react !== 'stop' })
    // Perhaps the business would have known the person by a phone number, or by another code for it.
    const canRetry = phoneNumber.refuse() || isRejected
    if (canRetry) again = afterNumber(again)
    show({ status: 'failed', code, ...(detail ? { detail } : {}), canRetry })
  }

  /**
   * One step towards a decision. `failed` and `offline` can repeat it. Its answer counts in this round only.
   */
  const step = async <T>(
    attempt: () => Promise<Answer<T>>,
    onAnswer: (answer: Answer<T>) => void,
    waiting: LoginScreen = { status: 'opening' },
  ): Promise<void> => {
    const { signal } = round
    again = () => void step(attempt, onAnswer, waiting)
    show(waiting)
    const how: PersistOptions = { isWorth: () => page.online, random, signal }
    const answer = await persist(attempt, how)
    if (!signal.aborted) onAnswer(answer)
  }

  /** What comes after the question for the phone number. */
  let goOn = () => {}
  let asksForOthers = false
  /** The same act, after the person was asked for a phone number, if that is due. */
  const afterNumber = (act: () => void) => (): void => {
    if (!phoneNumber.isDue) return act()
    goOn = act
    show({ status: 'number' })
  }
  const leaveNumber = (how: () => void): void => {
    if (screen.status !== 'number') return
    how()
    goOn()
  }

  const questionFor = (ticket: string, answer: ScanAnswer, isListed: boolean): Question => ({
    ...questionOf(ticket, answer, { entry, isListed }),
    ...(phoneNumber.isLost ? { numberLost: true } : {}),
    until: now() + answer.state.expiresIn * 1_000,
  })

  const scan = (ticket: string, isListed = false) =>
    step(
      () => api.scan(ticket, isListed),
      (answer) =>
        answer.ok ? show({ status: 'asking', question: questionFor(ticket, answer.value, isListed) }) : failed(answer),
    )

  const resolve = (scene: string, check?: string) =>
    step(
      () => api.resolve(scene, check),
      (answer) => {
        if (answer.ok) return void scan(answer.value)
        const { code } = answer
        if (code === 'CHECK_REQUIRED') return show({ status: 'checking', busy: false })
        const isAboutCheck = code === 'CHECK_WRONG' || (code === 'RATE_LIMITED' && check !== undefined)
        if (isAboutCheck) return show({ status: 'checking', busy: false, error: code })
        failed(answer)
      },
      check === undefined ? { status: 'opening' } : { status: 'checking', busy: true },
    )

  const find = (userCode: string) =>
    step(
      () => api.find(userCode),
      (answer) => {
        if (answer.ok) return void scan(answer.value)
        const isAboutCode = answer.code === 'TICKET_NOT_FOUND' || answer.code === 'RATE_LIMITED'
        if (isAboutCode) return show({ status: 'no-code', error: answer.code })
        failed(answer)
      },
    )

  /**
   * Reads the list of requests. A failure is no news: the person can still scan. Whoever has yet to be
   * asked for a phone number must not become somebody for that.
   */
  const look = async () => {
    if (phoneNumber.isDue) return
    const { signal } = round
    const answer = await api.requests()
    if (signal.aborted || screen.status !== 'no-code' || !answer.ok) return
    if (answer.value.length > 0 || screen.requests) show({ ...screen, requests: answer.value })
  }

  /** The scene whose check number the page asks for. */
  let asked = ''

  const open = (next: Entry) => {
    begin()
    entry = next
    const code = readCode(next.scene)
    if (code.kind === 'none') {
      show({ status: 'no-code' })
      return void look()
    }
    if (code.kind === 'unknown') return show({ status: 'not-found' })
    if (code.kind === 'pooled') asked = code.scene
    afterNumber(() => void (code.kind === 'ticket' ? scan(code.ticket) : resolve(code.scene)))()
  }

  const confirmed = (): LoginScreen => ({
    status: 'confirmed',
    ...(messages.isOffered ? { messages: 'offered' } : {}),
  })

  const decide = (decision: Decision, number?: string) => {
    if (screen.status !== 'asking') return
    const { question } = screen
    const { application } = question.request
    const given = {
      ...(application?.party === 'third' ? { scopes: application.scopes } : {}),
      ...(number === undefined ? {} : { number }),
    }
    if (number !== undefined && !DIGITS.test(number))
      return show({ status: 'asking', question, error: 'VERIFICATION_REQUIRED' })
    let isUncertain = false
    const attempt = async () => {
      const answer = await api.decide(question.ticket, decision, given)
      if (!answer.ok && UNCERTAIN.includes(answer.code)) isUncertain = true
      return answer
    }
    void step(
      attempt,
      (answer) => {
        if (answer.ok) return show(decision === 'confirm' ? confirmed() : { status: 'declined' })
        // The server has forgotten the ticket: it was decided minutes ago, perhaps by this very answer.
        const isOver = answer.code === 'TICKET_SETTLED' || answer.code === 'TICKET_NOT_FOUND'
        if (isOver && isUncertain) return show({ status: 'settled', answered: decision })
        if (answer.code === 'VERIFICATION_WRONG' && answer.left === 0) return show({ status: 'refused' })
        if (answer.code.startsWith('VERIFICATION_')) {
          const { code: error, left } = answer
          return show({ status: 'asking', question, error, ...(left === undefined ? {} : { left }) })
        }
        // The server decided nothing, so the person sees the same question again. But if the answer may have
        // arrived, the person can only repeat the same answer.
        if (answer.react === 'retry' && !isUncertain) return show({ status: 'asking', question, error: answer.code })
        failed(answer)
      },
      { status: 'deciding', question, decision },
    )
  }

  /**
   * The question may have expired, or another device may have decided. A repeated scan changes nothing and
   * reports the state.
   */
  const lookAgain = async () => {
    if (screen.status !== 'asking') return
    const before = screen
    const { signal } = round
    const { ticket, until } = before.question
    if (now() >= until) return show({ status: 'expired' })
    const answer = await api.scan(ticket)
    if (signal.aborted || screen !== before) return
    if (answer.ok)
      return show({ ...before, question: questionFor(ticket, answer.value, before.question.isListed === true) })
    if (answer.react !== 'retry') failed(answer)
  }

  const stopListening = onReturn(page, () => {
    if (screen.status === 'asking') return void lookAgain()
    if (screen.status === 'no-code') return void look()
    if (screen.status === 'offline' || (screen.status === 'failed' && screen.code === 'NETWORK')) again()
  })

  return {
    get screen() {
      return screen
    },
    open,
    ask: (onAnswer) => {
      asksForOthers = true
      goOn = onAnswer
      show({ status: 'number' })
    },
    findUserCode: (userCode) => {
      if (screen.status !== 'no-code') return
      // Any grouping is valid, because keyboards change the dashes.
      const code = typed(userCode).replace(/[^A-Z0-9]/g, '')
      if (!USER_CODE.test(code)) return show({ status: 'no-code', error: 'TICKET_NOT_FOUND' })
      begin()
      entry = undefined
      afterNumber(() => void find(code))()
    },
    openRequest: (ticket) => {
      if (screen.status !== 'no-code') return
      begin()
      afterNumber(() => void scan(ticket, true))()
    },
    report: () => {
      if (screen.status !== 'asking') return
      const { ticket } = screen.question
      void step(
        () => api.report(ticket),
        (answer) => (answer.ok ? show({ status: 'reported' }) : failed(answer)),
      )
    },
    agree: () => {
      if (screen.status !== 'confirmed' || screen.messages !== 'offered') return
      const before = screen
      messages.ask((isAgreed) => {
        // Who says no is not asked again here.
        if (screen === before) show({ status: 'confirmed', ...(isAgreed ? { messages: 'agreed' } : {}) })
      })
    },
    giveNumber: (answer) => leaveNumber(() => phoneNumber.press(answer)),
    skipNumber: () => leaveNumber(phoneNumber.skip),
    giveCheck: (check) => {
      if (screen.status !== 'checking' || screen.busy) return
      const digits = typed(check)
      if (!DIGITS.test(digits)) return show({ status: 'checking', busy: false, error: 'CHECK_WRONG' })
      void resolve(asked, digits)
    },
    confirm: (number) => decide('confirm', number === undefined ? undefined : typed(number)),
    decline: () => decide('reject'),
    retry: () => {
      const { status } = screen
      if (status === 'offline' || status === 'elsewhere' || (status === 'failed' && screen.canRetry)) again()
    },
    close: () => {
      if (asksForOthers) phoneNumber.leave()
      round.abort()
      clearTimeout(deadline)
      stopListening()
    },
  }
}
