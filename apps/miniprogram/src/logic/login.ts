import type { Answer, Failure, Page } from '@saoma/client'
import type { ScanAnswer } from '@saoma/protocol'
import { readCode, typed, warningOf } from './code.ts'
import type { Decision, Entry, LoginPage, LoginScreen, Question } from './login-screen.ts'
import { type PersistOptions, persist } from './persist.ts'
import type { PhoneApi } from './phone-api.ts'
import { onReturn } from './return.ts'

export interface LoginPageDeps {
  api: PhoneApi
  page: Page
  now: () => number
  random: () => number
}

/** After these nobody knows whether the server has done what it was asked for. */
const UNCERTAIN: readonly string[] = ['NETWORK', 'INTERNAL', 'REDIS_UNAVAILABLE']
const USER_CODE = /^[A-Z]{8}$/
const CHECK = /^\d{2}$/

export const createLoginPage = ({ api, page, now, random }: LoginPageDeps, onChange: () => void): LoginPage => {
  let screen: LoginScreen = { status: 'opening' }
  let entry: Entry | undefined
  /** Aborted when another code is opened: answers to the one before are not for this screen. */
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

  /** Where the person stands after a failure that is no answer to what they did last. */
  const failed = ({ code, react }: Failure) => {
    switch (code) {
      case 'TICKET_EXPIRED':
        return show({ status: 'expired' })
      case 'TICKET_TAKEN':
        return show({ status: 'taken' })
      case 'TICKET_SETTLED':
        return show({ status: 'settled' })
      case 'TICKET_NOT_FOUND':
        return show({ status: 'not-found' })
    }
    if (code === 'NETWORK' && !page.online) return show({ status: 'offline' })
    show({ status: 'failed', code, canRetry: react !== 'stop' })
  }

  /**
   * One step towards a decision, which can be taken again from `failed` and `offline`. Its answer is for this
   * round only.
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

  const questionOf = (ticket: string, { request, state, sameNetwork }: ScanAnswer): Question => ({
    ticket,
    request,
    sameNetwork,
    // A code that was typed was in front of the person's eyes.
    warning: entry && warningOf(entry, sameNetwork),
    until: now() + state.expiresIn * 1_000,
  })

  const scan = (ticket: string) =>
    step(
      () => api.scan(ticket),
      (answer) => (answer.ok ? show({ status: 'asking', question: questionOf(ticket, answer.value) }) : failed(answer)),
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

  /** The scene whose number is asked for. */
  let asked = ''

  const open = (next: Entry) => {
    begin()
    entry = next
    const code = readCode(next.scene)
    if (code.kind === 'none') return show({ status: 'no-code' })
    if (code.kind === 'unknown') return show({ status: 'not-found' })
    if (code.kind === 'ticket') return void scan(code.ticket)
    asked = code.scene
    void resolve(code.scene)
  }

  const decide = (decision: Decision) => {
    if (screen.status !== 'asking') return
    const { question } = screen
    let isUncertain = false
    const attempt = async () => {
      const answer = await api.decide(question.ticket, decision)
      if (!answer.ok && UNCERTAIN.includes(answer.code)) isUncertain = true
      return answer
    }
    void step(
      attempt,
      (answer) => {
        if (answer.ok) return show({ status: decision === 'confirm' ? 'confirmed' : 'declined' })
        // Forgotten is what was decided minutes ago, by this very answer perhaps.
        const isOver = answer.code === 'TICKET_SETTLED' || answer.code === 'TICKET_NOT_FOUND'
        if (isOver && isUncertain) return show({ status: 'settled', answered: decision })
        // Nothing was decided: the person is in front of the same question. Else there is but one answer to
        // go on with, the one they gave.
        if (answer.react === 'retry' && !isUncertain) return show({ status: 'asking', question, error: answer.code })
        failed(answer)
      },
      { status: 'deciding', question, decision },
    )
  }

  /** The question may be over by now, or decided elsewhere. Scanning again changes nothing and says so. */
  const lookAgain = async () => {
    if (screen.status !== 'asking') return
    const before = screen
    const { signal } = round
    const { ticket, until } = before.question
    if (now() >= until) return show({ status: 'expired' })
    const answer = await api.scan(ticket)
    if (signal.aborted || screen !== before) return
    if (answer.ok) return show({ ...before, question: questionOf(ticket, answer.value) })
    if (answer.react !== 'retry') failed(answer)
  }

  const stopListening = onReturn(page, () => {
    if (screen.status === 'asking') return void lookAgain()
    if (screen.status === 'offline' || (screen.status === 'failed' && screen.code === 'NETWORK')) again()
  })

  return {
    get screen() {
      return screen
    },
    open,
    findUserCode: (userCode) => {
      if (screen.status !== 'no-code') return
      // However they are grouped: keyboards make dashes of their own.
      const code = typed(userCode).replace(/[^A-Z0-9]/g, '')
      if (!USER_CODE.test(code)) return show({ status: 'no-code', error: 'TICKET_NOT_FOUND' })
      begin()
      entry = undefined
      void step(
        () => api.find(code),
        (answer) => {
          if (answer.ok) return void scan(answer.value)
          const isAboutCode = answer.code === 'TICKET_NOT_FOUND' || answer.code === 'RATE_LIMITED'
          if (isAboutCode) return show({ status: 'no-code', error: answer.code })
          failed(answer)
        },
      )
    },
    giveCheck: (check) => {
      if (screen.status !== 'checking' || screen.busy) return
      const digits = typed(check)
      if (!CHECK.test(digits)) return show({ status: 'checking', busy: false, error: 'CHECK_WRONG' })
      void resolve(asked, digits)
    },
    confirm: () => decide('confirm'),
    decline: () => decide('reject'),
    retry: () => {
      if (screen.status === 'offline' || (screen.status === 'failed' && screen.canRetry)) again()
    },
    close: () => {
      round.abort()
      clearTimeout(deadline)
      stopListening()
    },
  }
}
