import { type Answer, type Failure, form, request } from '@saoma/client'
import { parseTokenSet, WX_CODE_GRANT } from '@saoma/protocol'
import type { PhoneNumber } from './phone-number.ts'
import type { WxApp } from './wx-app.ts'

export interface TokensOptions {
  /**
   * `phone` may scan and decide. `miniprogram` is an application whose tokens are for channels and business
   * backends.
   */
  clientId: 'phone' | 'miniprogram'
  origin: string
  fetch: typeof fetch
  /** Returns a code that works once. */
  loginCode: () => Promise<string>
  now: () => number
  /** Appid of the mini-program, if it is not the server's first one. */
  app?: string
  /** The phone number that goes along, if the person gives it. */
  phoneNumber?: Pick<PhoneNumber, 'code' | 'settle' | 'refuse' | 'inTurn'>
}

/**
 * The access token of one client. It is kept in memory only, because WeChat identifies the person at any time
 * without asking. Concurrent callers share one request. Each call makes one attempt; the caller decides about
 * retries.
 */
export interface Tokens {
  /** A token that is still valid for a while. */
  get(): Promise<Answer<string>>
  /** A different token than the refused one, or than the current one if `refused` is missing. */
  renew(refused?: string): Promise<Answer<string>>
  /** Calls `act` with the token, and once more with a new token if the server refused the first. */
  use<T>(act: (token: string) => Promise<Answer<T>>): Promise<Answer<T>>
  /** Ends all waiting. */
  close(): void
}

/** A token is renewed this long before it expires, so that it does not expire on its way. */
const AHEAD_MS = 60_000
const LOGIN_TIMEOUT_MS = 10_000
/**
 * Longer than the server needs at most: 8 s for WeChat, and 6 s for the business, which may have a queue. An
 * answer that comes too late has used up its codes for nothing.
 */
const TIMEOUT_MS = 20_000
/** The server asks WeChat twice then: 8 s more. */
const TIMEOUT_WITH_NUMBER_MS = 30_000

/**
 * Codes of `wx.login`. Rejects with WeChat's error text, or after a time limit if WeChat is silent: all users
 * of tokens wait for this.
 */
export const wxLoginCode = (wx: Pick<WxApp, 'login'>): Promise<string> =>
  new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('login:fail no answer')), LOGIN_TIMEOUT_MS)
    const answered = (act: () => void) => {
      clearTimeout(timer)
      act()
    }
    wx.login({
      success: ({ code }) => answered(() => resolve(code)),
      fail: ({ errMsg }) => answered(() => reject(new Error(errMsg))),
    })
  })

export const createTokens = (options: TokensOptions): Tokens => {
  const { clientId, origin, fetch, loginCode, now, app, phoneNumber } = options
  const closing = new AbortController()
  let token: { value: string; until: number } | undefined
  let inFlight: Promise<Answer<string>> | undefined

  const exchange = async (): Promise<Answer<string>> => {
    const asked = now()
    let code: string
    try {
      code = await loginCode()
    } catch (error) {
      return { ok: false, code: 'NETWORK', react: 'retry', message: String(error) }
    }
    const phoneCode = phoneNumber?.code
    const answer = await request({
      fetch,
      url: `${origin}/oidc/token`,
      init: form({
        ...{ grant_type: WX_CODE_GRANT, client_id: clientId, code },
        ...(app ? { app } : {}),
        ...(phoneCode ? { phone_code: phoneCode } : {}),
      }),
      parse: parseTokenSet,
      timeoutMs: phoneCode ? TIMEOUT_WITH_NUMBER_MS : TIMEOUT_MS,
      signal: closing.signal,
    })
    if (!answer.ok && answer.code === 'PHONE_CODE_REJECTED') phoneNumber?.refuse()
    if (!answer.ok) return codeUsedUp(answer)
    const { access_token: value, expires_in: seconds, phone_code: outcome } = answer.value
    if (phoneCode) phoneNumber?.settle(outcome)
    token = { value, until: asked + seconds * 1_000 }
    return { ok: true, value }
  }

  /** Each attempt uses a new code, because it is unknown whether the previous one was used. */
  const acquire = (): Promise<Answer<string>> => {
    inFlight ??= (phoneNumber ? phoneNumber.inTurn(exchange) : exchange()).finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  const get = async (): Promise<Answer<string>> => {
    if (token && !phoneNumber?.code && now() < token.until - AHEAD_MS) return { ok: true, value: token.value }
    const answer = await acquire()
    // Early renewal has failed for now, and the current token is still valid.
    if (!answer.ok && token && now() < token.until) return { ok: true, value: token.value }
    return answer
  }

  const renew = (refused = token?.value): Promise<Answer<string>> => {
    if (token && token.value === refused) token = undefined
    return get()
  }

  return {
    get,
    renew,
    use: async (act) => {
      const given = await get()
      if (!given.ok) return given
      const answer = await act(given.value)
      if (answer.ok || answer.react !== 'reauth') return answer
      const renewed = await renew(given.value)
      return renewed.ok ? act(renewed.value) : renewed
    },
    close: () => closing.abort(),
  }
}

/** A code expired while the program was in the background. The caller should retry with a new one. */
const codeUsedUp = (failure: Failure): Failure =>
  failure.code === 'invalid_grant' ? { ...failure, react: 'retry' } : failure
