import { type Answer, type Failure, form, request } from '@saoma/client'
import { parseTokenSet, WX_CODE_GRANT } from '@saoma/protocol'
import type { WxApp } from './wx-app.ts'

export interface TokensOptions {
  /**
   * `phone` may scan and decide; `miniprogram` is an application: channels and business backends take its
   * tokens.
   */
  clientId: 'phone' | 'miniprogram'
  origin: string
  fetch: typeof fetch
  /** Gives a code that works once. */
  loginCode: () => Promise<string>
  now: () => number
}

/**
 * The access token of one client, for as long as this object lives: it is kept nowhere else, because WeChat
 * says at any time, without asking the person, who they are. Who asks while it is on its way waits for the
 * same one. One try each time: whoever asks knows how long to go on.
 */
export interface Tokens {
  /** One that is good for a while yet. */
  get(): Promise<Answer<string>>
  /** Another than the one that was refused; without it, another than the present one. */
  renew(refused?: string): Promise<Answer<string>>
  /** Acts with the token, and once more with another one if the server would not have it. */
  use<T>(act: (token: string) => Promise<Answer<T>>): Promise<Answer<T>>
  /** Nothing is waited for any more. */
  close(): void
}

/** Renewed this long before its end, so that it does not end on its way. */
const AHEAD_MS = 60_000
const TIMEOUT_MS = 10_000

/**
 * Codes of `wx.login`. Rejects with WeChat's own words, or when WeChat has none: everybody who needs a token
 * waits for this.
 */
export const wxLoginCode = (wx: Pick<WxApp, 'login'>): Promise<string> =>
  new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('login:fail no answer')), TIMEOUT_MS)
    const answered = (act: () => void) => {
      clearTimeout(timer)
      act()
    }
    wx.login({
      success: ({ code }) => answered(() => resolve(code)),
      fail: ({ errMsg }) => answered(() => reject(new Error(errMsg))),
    })
  })

export const createTokens = ({ clientId, origin, fetch, loginCode, now }: TokensOptions): Tokens => {
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
    const answer = await request({
      fetch,
      url: `${origin}/oidc/token`,
      init: form({ grant_type: WX_CODE_GRANT, client_id: clientId, code }),
      parse: parseTokenSet,
      timeoutMs: TIMEOUT_MS,
      signal: closing.signal,
    })
    if (!answer.ok) return codeUsedUp(answer)
    const { access_token: value, expires_in: seconds } = answer.value
    token = { value, until: asked + seconds * 1_000 }
    return { ok: true, value }
  }

  /** Every try has a code of its own: of the one before nobody knows whether it was used. */
  const acquire = (): Promise<Answer<string>> => {
    inFlight ??= exchange().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  const get = async (): Promise<Answer<string>> => {
    if (token && now() < token.until - AHEAD_MS) return { ok: true, value: token.value }
    const answer = await acquire()
    // Renewing ahead has failed for now, and what we have still holds.
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

/** A code that lay in the background for too long is worth no more than a new one. */
const codeUsedUp = (failure: Failure): Failure =>
  failure.code === 'invalid_grant' ? { ...failure, react: 'retry' } : failure
