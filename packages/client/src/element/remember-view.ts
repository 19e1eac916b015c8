import type { html as Html, TemplateResult } from 'lit'
import type { KnownPerson } from '../login/known.ts'
import type { LoginState } from '../login/login-state.ts'
import type { Language } from './text.ts'

/* What the card displays where a browser may be remembered. */

const text = {
  en: {
    continueAs: 'Continue as {name}',
    goOn: 'Continue with your phone',
    asked: '{name}, your phone was asked',
    askedNobody: 'Your phone was asked',
    asks: 'Your phone will be asked.',
    notYou: 'Not you?',
    confirm: 'Confirm on your phone',
    typeNumber: 'Enter {n} on your phone',
    orScan: 'Open the request there, or scan the code here.',
    refused: 'Your phone cannot be asked now. The code works as always.',
    declined: 'The login was declined. To log in even so, scan the code.',
    remember: 'Remember this browser',
    why: 'Next time it can ask your phone, so tick this only on a device of your own.',
  },
  zh: {
    continueAs: '以 {name} 继续',
    goOn: '用手机继续',
    asked: '{name}，已询问你的手机',
    askedNobody: '已询问你的手机',
    asks: '将询问你的手机。',
    notYou: '不是你？',
    confirm: '请在手机上确认',
    typeNumber: '请在手机上输入 {n}',
    orScan: '请在手机上打开请求，或扫描此码。',
    refused: '现在无法询问你的手机，请照常扫码。',
    declined: '登录已被拒绝。如仍要登录，请扫码。',
    remember: '记住此浏览器',
    why: '下次可直接询问你的手机，因此只在自己的设备上勾选。',
  },
} as const satisfies Record<Language, Record<string, string>>

const style = `
  .known { display: grid; justify-items: center; gap: 0.1rem; width: 100%; margin-bottom: 0.6rem; }
  .known > button:first-child { width: 100%; }
  .known p { display: grid; align-items: center; min-height: 2.75rem; font-weight: 600; line-height: 1.35; overflow-wrap: anywhere; text-wrap: balance; }
  .known p svg { width: 1.3rem; height: 1.3rem; margin-inline-end: 0.2rem; vertical-align: -0.25rem; color: var(--good); }
  .asks { color: var(--muted); font-size: 0.95rem; }
  .known .note { color: var(--muted); font-weight: 400; }
  /* One way is the first. */
  .offer ~ a.open { color: var(--accent); background: none; border: 1px solid var(--line); }
  /* It keeps its space, so that nothing moves. */
  .scanned .known .plain { visibility: hidden; }
  button.plain { min-height: 2.25rem; padding: 0.25rem 0.5rem; color: var(--accent); font-weight: 400; font-size: 0.95rem; background: none; text-decoration: underline; text-underline-offset: 0.2em; }
  .remember { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0 0.7rem; width: 100%; margin-top: 0.5rem; padding: 0.5rem 0; text-align: start; border-top: 1px solid var(--line); cursor: pointer; }
  .remember input { grid-row: span 2; width: 1.35rem; height: 1.35rem; margin: 0.2rem 0 0; accent-color: var(--accent); cursor: inherit; }
  .remember input:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
  .remember strong { font-weight: 600; }
  .remember span { color: var(--muted); font-size: 0.9rem; line-height: 1.4; }
`

/** Gives the card the look of these parts. */
export const dress = (root: ParentNode): void => {
  if (!(root instanceof ShadowRoot)) return
  try {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(style)
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet]
  } catch {
    // An old browser. A strict policy may refuse this, and then it is only plain.
    root.append(Object.assign(document.createElement('style'), { textContent: style }))
  }
}

/** What there is to know. */
export interface RememberFacts {
  state: LoginState
  person: KnownPerson | undefined
  wants: boolean
  /** On the phone there was a no to the code of before, or three wrong numbers. */
  isDeclined: boolean
  language: Language
}

/** What a person may do. */
export interface RememberActs {
  ask(): void
  forget(): void
  want(wanted: boolean): void
}

/** Parts of the card, in place of what it displays otherwise. */
export interface RememberView {
  top?: TemplateResult
  headline?: string
  hint?: string
  bottom?: TemplateResult
}

/** A browser keeps keys only where it has these. Some private windows refuse later: there is a code then. */
const keepsKeys = (): boolean => isSecureContext && 'indexedDB' in globalThis && crypto.subtle !== undefined

export const viewOf = (facts: RememberFacts, acts: RememberActs, html: typeof Html): RememberView => {
  const { state, person, wants, isDeclined, language } = facts
  const say = text[language]
  if (!('userCode' in state) || !keepsKeys()) return {}

  const named = (sentence: string, other: string) => {
    const { name } = person ?? {}
    return name ? sentence.replace('{name}', () => name) : other
  }
  const notYou = html`<button class="plain" type="button" part="forget" @click=${acts.forget}>${say.notYou}</button>`
  const note = (sentence: string) =>
    html`<div class="known"><p class="note" role="status">${sentence}</p>${notYou}</div>`
  const choice = html`<label class="remember" part="remember">
    <input type="checkbox" .checked=${wants} @change=${({ target }: Event) => acts.want((target as HTMLInputElement).checked)} />
    <strong>${say.remember}</strong><span>${say.why}</span>
  </label>`

  if (!person) return { bottom: choice }
  if (state.pushed) {
    const phone = html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round"
      stroke-linejoin="round" aria-hidden="true"><rect x="6.5" y="2.5" width="11" height="19" rx="2.5"/><path d="M11 18.5h2"/></svg>`
    const top = html`<div class="known">
      <p><span>${phone} ${named(say.asked, say.askedNobody)}</span></p>
      ${notYou}
    </div>`
    if (state.status === 'waiting') return { top, headline: say.confirm, hint: say.orScan }
    return { top, headline: state.number ? say.typeNumber.replace('{n}', state.number) : say.confirm }
  }
  if (state.status === 'scanned') return {}
  if (isDeclined) return { top: note(say.declined) }
  // Perhaps the person has taken this browser off the list, and wants it back.
  if (state.pushed === false) return { top: note(say.refused), bottom: choice }
  const top = html`<div class="known offer">
    <button type="button" part="continue" @click=${acts.ask}>${named(say.continueAs, say.goOn)}</button>
    <span class="asks">${say.asks} ${notYou}</span>
  </div>`
  return { top }
}
