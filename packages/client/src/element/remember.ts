import type { html } from 'lit'
import type { Login } from '../login/login.ts'
import type { LoginState } from '../login/login-state.ts'
import { dress, type RememberView, viewOf } from './remember-view.ts'
import type { Language } from './text.ts'

/*
 * Loaded only where the element has the attribute `remember`. It and its view import nothing that the element
 * needs as well: bundlers would put that into a file of its own, which every page would have to load.
 */

/** What a person may do about this browser, and what is displayed of it. */
export interface Remember {
  /** Whether the person wants this browser to be remembered. */
  readonly wants: boolean
  /** The login has entered a state. */
  heard(state: LoginState): void
  /** What the card displays besides. */
  view(state: LoginState, language: Language): RememberView
}

export interface RememberDeps {
  /** What the card is in. */
  root: ParentNode
  /** The present login. */
  loginOf: () => Login | undefined
  /** Called when a button was pressed, which may be gone now. */
  onAct: () => void
  /** Lit's. */
  html: typeof html
}

export const createRemember = ({ root, loginOf, onAct, html }: RememberDeps): Remember => {
  let wants = false
  /** The phone was asked by the code of before, and there was a no, or there were three wrong numbers. */
  let isDeclined = false
  /** The code after that was displayed. The one that follows it has nothing to do with it. */
  let wasShown = false
  let wasPushed = false

  const isPushed = (state: LoginState | undefined): boolean => Object(state).pushed === true

  const act = (how: (login: Login) => void) => () => {
    const login = loginOf()
    isDeclined = false
    if (login) how(login)
    onAct()
  }
  const acts = {
    ask: act((login) => login.ask()),
    forget: act((login) => login.forget()),
    want: (wanted: boolean) => {
      wants = wanted
    },
  }

  dress(root)
  wasPushed = isPushed(loginOf()?.state)

  return {
    get wants() {
      return wants
    },
    heard: (state) => {
      // A no on the phone leads back to the code. Not in this turn: others still hear of the state.
      if (state.status === 'rejected' && !state.code && wasPushed) {
        isDeclined = true
        wasShown = false
        queueMicrotask(() => loginOf()?.renew())
      }
      if (state.status === 'creating' && wasShown) isDeclined = false
      wasShown ||= 'ticket' in state
      // Each login is decided anew.
      if (state.status === 'done') wants = false
      wasPushed = isPushed(state)
    },
    view: (state, language) => viewOf({ state, person: loginOf()?.person, wants, isDeclined, language }, acts, html),
  }
}
