import { type KnownBrowser, ok, parseKnownBrowsers } from '@saoma/protocol'
import { type Answer, request } from '../core/request.ts'
import type { DevicesOptions } from './devices.ts'

/** The browsers that may ask a person's phone for a login. Nothing is retried automatically. */
export interface Browsers {
  /** The one that was used last comes first. */
  list(): Promise<Answer<KnownBrowser[]>>
  /** It cannot ask the phone any more. Its session goes on. `NOT_FOUND` if it is not there. */
  forget(id: string): Promise<Answer<void>>
}

const REQUEST_TIMEOUT_MS = 10_000

/**
 * The list of browsers that remember a person (`remembers` of a login), to show it and to take some away. It
 * asks the server at each call, and never rejects.
 *
 * @example
 * ```ts
 * import { createBrowsers, createSession } from '@saoma/client'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 * const browsers = createBrowsers({ origin, token: session.accessToken })
 * const known = await browsers.list()
 * console.log(known.ok && known.value.length) // -> 0
 * const forgotten = await browsers.forget('A'.repeat(43))
 * console.log(forgotten.ok || forgotten.code) // -> NOT_FOUND
 * ```
 */
export const createBrowsers = (options: DevicesOptions): Browsers => {
  const { fetch = globalThis.fetch } = options
  const url = `${options.origin.replace(/\/+$/, '')}/v1/me/browsers`
  const headersOf = (token: string) => ({ authorization: `Bearer ${token}`, accept: 'application/json' })

  return {
    list: async () => {
      const token = await options.token()
      if (!token.ok) return token
      const init = { headers: headersOf(token.value) }
      const answer = await request({ fetch, url, init, parse: parseKnownBrowsers, timeoutMs: REQUEST_TIMEOUT_MS })
      return answer.ok ? { ok: true, value: answer.value.browsers } : answer
    },
    forget: async (id) => {
      const token = await options.token()
      if (!token.ok) return token
      const init = { method: 'DELETE', headers: headersOf(token.value) }
      const at = `${url}/${encodeURIComponent(id)}`
      return request({ fetch, url: at, init, parse: () => ok(undefined), timeoutMs: REQUEST_TIMEOUT_MS })
    },
  }
}
