import type { TokenSet } from '@saoma/protocol'
import type { CodeLoginState } from '../login/code-login.ts'
import type { LoginState } from '../login/login-state.ts'

/** The state of the element: of a code, or of a registered application's button. */
export type ElementState = LoginState | CodeLoginState

/** Events of `<saoma-login>` for the page around it. */
export interface SaomaLoginEvents {
  /** The person is logged in. The element's `session`, if it has one, has the tokens already. */
  'saoma-login': CustomEvent<{ tokens: TokenSet }>
  /** Every change of the login's state. */
  'saoma-state': CustomEvent<{ state: ElementState }>
  /** The code can be scanned: by any camera when it is plain, otherwise only by WeChat. */
  'saoma-picture': CustomEvent<{ plain: boolean }>
}

// They bubble out of shadow trees, so the document and the window hear them too.
declare global {
  interface HTMLElementEventMap extends SaomaLoginEvents {}
  interface DocumentEventMap extends SaomaLoginEvents {}
  interface WindowEventMap extends SaomaLoginEvents {}
}
