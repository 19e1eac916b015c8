import { html, nothing, type TemplateResult } from 'lit'
import type { Binding } from '../core/proof.ts'
import { answerLogin } from '../login/code-answer.ts'
import { type CodeLoginState, createCodeLogin } from '../login/code-login.ts'
import { icons } from './icons.ts'
import { isPhone } from './phone.ts'
import { type ElementText, type Language, sayFailure } from './text.ts'

/** How a registered application logs in: at Saoma's page in a window, or in place of this page. */
export type Mode = 'popup' | 'redirect'

/** The button of a registered application. */
export interface Entry {
  readonly state: CodeLoginState
  render(say: ElementText, language: Language): TemplateResult
  close(): void
}

/** Saoma's own clients show a code. `login:` is the client of an authorization request's page. */
const OWN = /^(web|phone|miniprogram|login:.*)?$/
export const isApplication = (clientId: string | undefined): clientId is string => !OWN.test(clientId ?? '')

const WIDTH = 480
const HEIGHT = 760
/** It has to be called while a click is handled. Undefined if the browser refuses. */
const openWindow = (): Window | undefined => {
  const [left, top] = [screenX + (outerWidth - WIDTH) / 2, screenY + (outerHeight - HEIGHT) / 2]
  return open('', 'saoma-login', `popup,width=${WIDTH},height=${HEIGHT},left=${left},top=${top}`) ?? undefined
}

/**
 * Acts when the scripts of the page have run. Those that come after the element's have not heard yet of the
 * element, and would miss what it tells at once.
 */
const afterScripts = (act: () => void): void => {
  const [page] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  if (document.readyState === 'complete' || page?.domContentLoadedEventStart) return queueMicrotask(act)
  for (const event of ['DOMContentLoaded', 'load']) addEventListener(event, act, { once: true })
}

/** What an attribute says. One that was taken away is null. */
type Given<T extends string> = T | null | undefined

export interface EntryOptions {
  origin: string
  clientId: string
  /** @default the address of the page, without its query */
  redirectUri: Given<string>
  /** @default 'openid profile', which every application has unless registered otherwise */
  scope: Given<string>
  /** @default a window, and on a phone the same tab */
  mode: Given<Mode>
  /** Whether the tokens are to be bound to a key of the browser. */
  binding: () => Binding | undefined
}

export const createEntry = (
  { origin, clientId, redirectUri, scope, mode, binding }: EntryOptions,
  onState: (state: CodeLoginState) => void,
): Entry => {
  const login = createCodeLogin({
    ...{ origin, clientId, binding },
    redirectUri: redirectUri || `${location.origin}${location.pathname}`,
    scope: scope || 'openid profile',
  })
  login.on('state', onState)

  const begin = (language: Language): void =>
    login.open((mode ?? (isPhone() ? 'redirect' : 'popup')) === 'popup' ? openWindow() : undefined, language)

  // This page may be the callback page, too. The element must know its entry before it hears of a state.
  if (!answerLogin()) afterScripts(login.resume)

  const headlineOf = (state: CodeLoginState, say: ElementText, language: Language): string => {
    if (state.status === 'failed') return sayFailure(state.code, language)
    return state.status === 'idle' ? '' : say[state.status]
  }

  return {
    get state() {
      return login.state
    },
    render: (say, language) => {
      const { state } = login
      const { status } = state
      const isOver = status === 'confirmed' || status === 'done'
      const isStopped = state.status === 'failed' && state.react === 'stop'
      const hint = state.status === 'failed' ? `${say.reason}: ${state.code}` : status === 'rejected' && say.nobody
      const icon = status === 'done' ? icons.check : icons.spinner
      return html`
        <section class="card entry ${status}" part="card" lang=${language === 'zh' ? 'zh-CN' : 'en'}>
          ${isOver ? html`<span class="mark ${status === 'done' ? 'good' : 'calm spins'}">${icon}</span>` : nothing}
          <p class="headline" part="headline" role="status" aria-live="polite" tabindex="-1">${headlineOf(state, say, language)}</p>
          ${hint ? html`<p class="hint">${hint}</p>` : nothing}
          ${
            isOver || isStopped
              ? nothing
              : html`<button type="button" part="enter" @click=${() => begin(language)}>${
                  status === 'idle' ? say.enter : say.again
                }</button>`
          }
        </section>
      `
    },
    close: login.close,
  }
}
