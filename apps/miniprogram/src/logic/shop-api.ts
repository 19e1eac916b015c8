import type { Failure } from '@saoma/client'
import { member } from './json.ts'
import { persist } from './persist.ts'
import type { Tokens } from './tokens.ts'

/**
 * The shop's answer. `code` is that of a refusal, or `NETWORK` if the shop failed or gave no answer; it is
 * undefined on success.
 */
export interface ShopAnswer {
  code: string | undefined
  body: unknown
}

export interface ShopApiOptions {
  origin: string
  fetch: typeof fetch
  /** Tokens of the client `miniprogram`. */
  tokens: Tokens
  random: () => number
}

/** The shop's own HTTP API, with the token of this phone's person. */
export interface ShopApi {
  get(path: string): Promise<ShopAnswer>
  /** Repeated if no answer arrives or the shop fails, so the body needs an id for the request. */
  post(path: string, body: object): Promise<ShopAnswer>
  /** Pending requests end with `NETWORK`. */
  close(): void
}

const TIMEOUT_MS = 8_000
const UNAUTHORIZED: number = 401

const refused = (code: string, react: Failure['react']): Failure => ({ ok: false, code, react, message: code })

export const createShopApi = ({ origin, fetch, tokens, random }: ShopApiOptions): ShopApi => {
  const closing = new AbortController()
  const { signal } = closing

  const once = async (token: string, method: string, path: string, body?: object) => {
    try {
      const response = await fetch(`${origin}/shop/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      })
      const answered: unknown = await response.json().catch(() => undefined)
      if (response.status === UNAUTHORIZED) return refused('UNAUTHORIZED', 'reauth')
      if (response.status >= 500) return refused('NETWORK', 'retry')
      const code = response.ok ? undefined : String(member(answered, 'code') ?? 'NETWORK')
      return { ok: true as const, value: { code, body: answered } }
    } catch {
      return refused('NETWORK', 'retry')
    }
  }

  const ask = async (method: string, path: string, body?: object): Promise<ShopAnswer> => {
    const answer = await persist(() => tokens.use((token) => once(token, method, path, body)), { random, signal })
    return answer.ok ? answer.value : { code: answer.react === 'reauth' ? answer.code : 'NETWORK', body: undefined }
  }

  return {
    get: (path) => ask('GET', path),
    post: (path, body) => ask('POST', path, body),
    close: () => closing.abort(),
  }
}
