import type { TokenSet } from '@saoma/protocol'
import type { LoginState } from '../login/login-state.ts'

/** What `<saoma-login>` tells the page around it. */
export interface SaomaLoginEvents {
  /** The person is logged in. */
  'saoma-login': CustomEvent<{ tokens: TokenSet }>
  /** Every change of the login's state. */
  'saoma-state': CustomEvent<{ state: LoginState }>
  /** The code is there to be scanned: by any camera when it is plain, otherwise by WeChat only. */
  'saoma-picture': CustomEvent<{ plain: boolean }>
}

declare global {
  interface HTMLElementEventMap extends SaomaLoginEvents {}
}
