import { parseSessionList, parseSessionsEnded, type Result, type SessionEntry } from '@saoma/protocol'
import { type Answer, request } from './request.ts'

export interface DevicesOptions {
  /** Where Saoma is, without a path. */
  origin: string
  /** Says who asks, by any token of Saoma's own; `session.accessToken` is one. */
  token: () => Promise<Answer<string>>
  fetch?: typeof fetch
}

/**
 * Where a person is logged in. An answer `REVOKED` says that the asker's own session is over; give it to `session.recheck`. Nothing is
 * tried again by itself.
 */
export interface Devices {
  /** The newest login first. */
  list(): Promise<Answer<SessionEntry[]>>
  /** Ends one. `SESSION_NOT_FOUND` when it is over already. */
  end(sid: string): Promise<Answer<void>>
  /** Ends all, or all but the asker's own. Resolves with how many. */
  endAll(which?: { keepCurrent: boolean }): Promise<Answer<number>>
}

const REQUEST_TIMEOUT_MS = 10_000

export const createDevices = (options: DevicesOptions): Devices => {
  const fetch = options.fetch ?? globalThis.fetch
  const origin = options.origin.replace(/\/+$/, '')

  const ask = async <T>(method: string, path: string, parse: (body: unknown) => Result<T>): Promise<Answer<T>> => {
    const token = await options.token()
    if (!token.ok) return token
    return request({
      fetch,
      url: `${origin}/v1/sessions${path}`,
      init: { method, headers: { authorization: `Bearer ${token.value}`, accept: 'application/json' } },
      parse,
      timeoutMs: REQUEST_TIMEOUT_MS,
    })
  }

  return {
    list: async () => {
      const answer = await ask('GET', '', parseSessionList)
      return answer.ok ? { ok: true, value: answer.value.sessions } : answer
    },
    end: async (sid) => {
      const answer = await ask('DELETE', `/${encodeURIComponent(sid)}`, parseSessionsEnded)
      return answer.ok ? { ok: true, value: undefined } : answer
    },
    endAll: async ({ keepCurrent } = { keepCurrent: false }) => {
      const answer = await ask('DELETE', keepCurrent ? '?keep=current' : '', parseSessionsEnded)
      return answer.ok ? { ok: true, value: answer.value.ended } : answer
    },
  }
}
