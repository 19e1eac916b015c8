import type { TokenSet } from '@saoma/protocol'
import { type Failure, unanswered } from '../core/request.ts'
// Its types alone: the element itself needs a browser.
import type { SaomaLoginEvents } from './events.ts'
import type { LoginSession } from './handover.ts'

/** What a component for `<saoma-login>` takes, in any framework. */
export interface LoginProps {
  /** Saoma's origin, without a path. @default the provider's */
  origin?: string | undefined
  /**
   * The OAuth client. Give the session the same one. With the id of a registered application there is a
   * button in place of the code. @default 'web'
   */
  clientId?: string | undefined
  /**
   * Of a registered application: one of its redirect addresses, on this origin. @default the page's address
   */
  redirectUri?: string | undefined
  /** Of a registered application: where its people log in. @default a window, on a phone the same tab */
  mode?: 'popup' | 'redirect' | undefined
  /** @default 'openid profile offline_access' */
  scope?: string | undefined
  /** A confirmed ticket to redeem first. */
  ticket?: string | undefined
  /** `en` or `zh`. @default the language of the page around it */
  lang?: string | undefined
  /** Whether the page runs on the phone that would scan. @default 'auto' */
  samePhone?: 'auto' | 'always' | 'never' | undefined
  /** Whether people may have this browser remembered, which can ask their phone then. @default false */
  remember?: boolean | undefined
}

/** What a component hears of a login. */
export interface LoginListener {
  onLogin?: ((tokens: TokenSet) => void) | undefined
  /**
   * The login cannot go on by itself, or the element could not be loaded. The card shows the reason and, if
   * it helps, a button.
   */
  onFailure?: ((failure: Failure) => void) | undefined
}

/**
 * The attributes of `<saoma-login>` for what a component was given, by name, without those that are not set.
 *
 * @example
 * ```ts
 * import { attributesOf } from '@saoma/client/components'
 *
 * const attributes = attributesOf({ clientId: 'club', mode: 'redirect', lang: undefined })
 * console.log(attributes) // -> { 'client-id': 'club', mode: 'redirect' }
 * ```
 */
export const attributesOf = (props: LoginProps): Record<string, string> => {
  const { origin, clientId, redirectUri, mode, scope, ticket, lang, samePhone, remember } = props
  const application = { 'client-id': clientId, 'redirect-uri': redirectUri, mode }
  const all = {
    origin,
    ...application,
    scope,
    ticket,
    lang,
    'same-phone': samePhone,
    remember: remember ? 'remember' : undefined,
  }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => Boolean(entry[1])))
}

/**
 * Listens to a `<saoma-login>` that a component has rendered, and loads the element's code.
 *
 * @param session  gets the tokens of the login before `onLogin` is called. It has to fit the element
 * @param load  imports `@saoma/client/element`. Not at the top of a module: a server has no elements
 * @param now   the present listener of the component
 * @returns the function that stops listening
 *
 * @example
 * ```ts
 * import { createSession } from '@saoma/client'
 * import { attachLogin } from '@saoma/client/components'
 *
 * const origin = 'https://login.example.com'
 * const element = document.body.appendChild(document.createElement('saoma-login'))
 * element.setAttribute('origin', origin)
 * export const detach = attachLogin(
 *   element,
 *   createSession({ origin }),
 *   () => import('@saoma/client/element'),
 *   () => ({
 *     onLogin: (tokens) => console.log(tokens.token_type), // -> Bearer
 *     onFailure: ({ code }) => console.error(code),
 *   }),
 * )
 * ```
 */
export const attachLogin = (
  element: HTMLElement & { session?: LoginSession | undefined },
  session: LoginSession | undefined,
  load: () => Promise<unknown>,
  now: () => LoginListener,
): (() => void) => {
  let attached = true

  const onLogin = ({ detail }: SaomaLoginEvents['saoma-login']) => {
    now().onLogin?.(detail.tokens)
  }

  const onState = ({ detail }: SaomaLoginEvents['saoma-state']) => {
    const { state } = detail
    if (state.status !== 'failed') return
    const { code, react, message } = state
    now().onFailure?.({ ok: false, code, react, message })
  }

  element.session = session
  element.addEventListener('saoma-login', onLogin)
  element.addEventListener('saoma-state', onState)
  load().catch((error: unknown) => {
    if (attached) now().onFailure?.(unanswered(error))
  })

  return () => {
    attached = false
    element.removeEventListener('saoma-login', onLogin)
    element.removeEventListener('saoma-state', onState)
  }
}
