import { parseTokenSet, type Reaction, type TokenSet } from '@saoma/protocol'
import { base64url } from '../core/base64url.ts'
import { type Claims, decodeClaims } from '../core/claims.ts'
import { createEmitter, type Listenable } from '../core/emitter.ts'
import { type Binding, bindingOf } from '../core/proof.ts'
import { type Answer, form, request } from '../core/request.ts'
import { drawKey, retry } from '../core/retry.ts'
import { ANSWERS, type CodeAnswer, createLeavings, isCodeAnswer, type Leaving, stateFor } from './code-answer.ts'

/** The state of a login by a window or by another page. */
export type CodeLoginState =
  | { status: 'idle' }
  /** The person is at the login page. */
  | { status: 'opened' }
  /** The tokens are on their way. */
  | { status: 'confirmed' }
  | { status: 'rejected' }
  | { status: 'done'; tokens: TokenSet }
  | { status: 'failed'; code: string; react: Reaction; message: string }

export interface CodeLoginOptions {
  origin: string
  /** A registered application of the type `public`. */
  clientId: string
  /** One of its redirect addresses. It has to be on the origin of this page. */
  redirectUri: string
  scope: string
  /** Whether the tokens are to be bound to a key, asked when a login begins and when it is redeemed. */
  binding: () => Binding | undefined
}

/** A login at Saoma's own page, by authorization code with PKCE (RFC 7636). */
export interface CodeLogin extends Listenable<{ state: CodeLoginState }> {
  readonly state: CodeLoginState
  /**
   * Begins a login. Without a window this page is left, and the login goes on when the person comes back.
   *
   * @param opened  an empty window. A browser opens one only while it handles a click, so the caller has to
   * @param language  which the page should speak
   */
  open(opened: Window | undefined, language: string): void
  /** Goes on with a login for which this page was left, if its answer is here. */
  resume(): void
  close(): void
}

const REQUEST_TIMEOUT_MS = 10_000
/** A code is valid for a minute. */
const REDEEM_MS = 30_000
/** How often a window is asked whether it is still there. */
const LOOK_MS = 400

const challengeOf = async (verifier: string): Promise<string> =>
  base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)))

const failed = (code: string, message: string, react: Reaction = 'renew'): CodeLoginState => ({
  status: 'failed',
  code,
  react,
  message,
})

/**
 * Why the tokens are not those of this login. They come from the token endpoint itself, over TLS, so the
 * signature says nothing more (OpenID Connect Core, section 3.1.3.7).
 */
const flawIn = ({ id_token }: TokenSet, { origin, clientId, nonce }: Leaving): string | undefined => {
  const { iss, aud, nonce: told, exp = 0 } = (decodeClaims(id_token) ?? {}) as Partial<Claims>
  if (iss !== `${origin}/oidc`) return 'The id token is of another issuer.'
  if (![aud].flat().includes(clientId)) return 'The id token is for another client.'
  if (told !== nonce) return 'The id token has another nonce than this login.'
  return exp * 1_000 > Date.now() - 300_000 ? undefined : 'The id token has expired.'
}

export const createCodeLogin = (options: CodeLoginOptions): CodeLogin => {
  const { clientId, redirectUri, scope } = options
  const origin = options.origin.replace(/\/+$/, '')
  const tokenUrl = `${origin}/oidc/token`
  const events = createEmitter<{ state: CodeLoginState }>()
  const leavings = createLeavings()
  const closing = new AbortController()
  let state: CodeLoginState = { status: 'idle' }
  /** The login that waits for the answer of a window. */
  let pending: Leaving | undefined
  let opened: Window | undefined
  let timer: ReturnType<typeof setInterval> | undefined

  const enter = (next: CodeLoginState): void => {
    if (closing.signal.aborted) return
    state = next
    events.emit('state', next)
  }

  const bind = () => bindingOf(options.binding(), tokenUrl, clientId)

  const redeem = (code: string, { verifier }: Leaving): Promise<Answer<TokenSet>> => {
    const fields = { grant_type: 'authorization_code', code, code_verifier: verifier }
    const ask = async () => {
      // A proof is good for one request, so each try has its own.
      const bound = await bind()
      if (!bound.ok) return bound
      return request({
        fetch: globalThis.fetch,
        url: tokenUrl,
        init: form({ ...fields, client_id: clientId, redirect_uri: redirectUri }, bound.value),
        parse: parseTokenSet,
        timeoutMs: REQUEST_TIMEOUT_MS,
        signal: closing.signal,
      })
    }
    return retry(ask, { withinMs: REDEEM_MS, random: Math.random, signal: closing.signal })
  }

  const finish = async (login: Leaving, { iss, code, error = 'invalid_request' }: CodeAnswer): Promise<void> => {
    // Otherwise a code of another server could come in here (RFC 9207, mix-up).
    if (iss !== `${origin}/oidc`) return enter(failed('MALFORMED', 'The answer is of another issuer.', 'stop'))
    if (code === undefined)
      return enter(error === 'access_denied' ? { status: 'rejected' } : failed(error, `The login ended with ${error}.`))
    enter({ status: 'confirmed' })
    const answer = await redeem(code, login)
    if (!answer.ok) return enter(failed(answer.code, answer.message, answer.react === 'stop' ? 'stop' : 'renew'))
    const flaw = flawIn(answer.value, login)
    if (flaw) return enter(failed('MALFORMED', flaw, 'stop'))
    enter({ status: 'done', tokens: answer.value })
  }

  const stopWatching = (): void => {
    clearInterval(timer)
    timer = undefined
  }

  /** A closed window says nothing. One whose page isolates itself looks closed, and may still answer. */
  const watch = (): void => {
    stopWatching()
    timer = setInterval(() => {
      if (!opened?.closed || state.status !== 'opened') return
      stopWatching()
      enter(failed('WINDOW_CLOSED', 'The window of the login was closed.'))
    }, LOOK_MS)
  }

  const hear = (answer: unknown): void => {
    if (!isCodeAnswer(answer) || answer.state !== pending?.state) return
    const login = pending
    pending = undefined
    stopWatching()
    opened?.close()
    void finish(login, answer)
  }
  const channel = new BroadcastChannel(ANSWERS)
  channel.onmessage = ({ data }) => hear(data)
  const onMessage = (event: MessageEvent): void => {
    if (event.origin === location.origin) hear(event.data)
  }
  addEventListener('message', onMessage)
  /** The person has come back by the browser's button, to a page that was kept as it was. */
  const onPageShow = ({ persisted }: PageTransitionEvent): void => {
    if (persisted && !pending && state.status === 'opened') enter({ status: 'idle' })
  }
  addEventListener('pageshow', onPageShow)

  /** The address of the login page for a new login, and what its answer is compared with. */
  const prepare = async (inWindow: boolean, language: string): Promise<{ url: string; login: Leaving }> => {
    const names = { state: stateFor(inWindow, drawKey()), nonce: drawKey(), verifier: drawKey() + drawKey() }
    const query = new URLSearchParams({
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope,
      state: names.state,
      nonce: names.nonce,
      code_challenge: await challengeOf(names.verifier),
      code_challenge_method: 'S256',
      ui_locales: language,
    })
    const login = { ...names, origin, clientId, redirectUri, returnTo: location.href }
    return { url: `${origin}/oidc/auth?${query}`, login }
  }

  const go = async (language: string): Promise<void> => {
    // Where a page is not encrypted browsers have no such functions.
    if (!globalThis.crypto?.subtle) {
      opened?.close()
      return enter(failed('UNEXPECTED', 'This page must be loaded over https.', 'stop'))
    }
    // Some browsers close at once what they do not want to open.
    if (opened?.closed) opened = undefined
    const window = opened
    // Nobody should log in for tokens that this browser cannot keep.
    const may = await bind()
    if (!may.ok) {
      window?.close()
      return enter(failed(may.code, may.message, may.react))
    }
    const { url, login } = await prepare(window !== undefined, language)
    if (closing.signal.aborted || window !== opened) return
    enter({ status: 'opened' })
    if (window) {
      pending = login
      window.location.replace(url)
      return watch()
    }
    leavings.write(login)
    location.assign(url)
  }

  return {
    on: events.on,
    get state() {
      return state
    },
    open: (window, language) => {
      opened = window
      void go(language)
    },
    resume: () => {
      const login = leavings.read()
      if (closing.signal.aborted || login?.origin !== origin || login.clientId !== clientId || !login.answer) return
      leavings.clear()
      void finish(login, login.answer)
    },
    close: () => {
      closing.abort()
      stopWatching()
      channel.close()
      removeEventListener('message', onMessage)
      removeEventListener('pageshow', onPageShow)
    },
  }
}
