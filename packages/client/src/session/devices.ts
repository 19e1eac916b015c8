import { parseSessionList, parseSessionsEnded, type Result, type SessionEntry } from '@saoma/protocol'
import { type Answer, request } from '../core/request.ts'
import type { Room } from '../live/room.ts'

export interface DevicesOptions {
  /** Where Saoma is, without a path. */
  origin: string
  /** Says who asks, by any token of Saoma's own; `session.accessToken` is one. */
  token: () => Promise<Answer<string>>
  fetch?: typeof fetch
}

/**
 * Where a person is logged in. An answer `REVOKED` says that the asker's own session is over; give it to
 * `session.recheck`. Nothing is tried again by itself.
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
/** All logins of a person may be ended in one go, and each of their pages reads the list anew. */
const CHANGES_EVERY_MS = 2_000

/**
 * Calls back when a login of the person has begun or ended somewhere, or may have while nobody could tell:
 * the list is to be read again. At once, and then every two seconds at most. Nothing is told over the long
 * poll, so read it also when the page is looked at again.
 *
 * @param room  of the person's own channel, `@user`
 * @returns the function that ends it
 */
export const onDevicesChanged = (room: Pick<Room, 'on'>, listener: () => void): (() => void) => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let missed = false
  const tell = () => {
    missed = timer !== undefined
    if (missed) return
    timer = setTimeout(() => {
      timer = undefined
      if (missed) tell()
    }, CHANGES_EVERY_MS)
    listener()
  }
  const unlisten = [
    room.on('volatile', ({ event }) => {
      if (event === 'session') tell()
    }),
    room.on('state', (state) => {
      if (state === 'live') tell()
    }),
  ]
  return () => {
    clearTimeout(timer)
    for (const stop of unlisten) stop()
  }
}

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
