import { parseSessionList, parseSessionsEnded, type Result, type SessionEntry } from '@saoma/protocol'
import { type Answer, request } from '../core/request.ts'
import type { Room } from '../live/room.ts'

/** Whose logins they are. */
export interface DevicesOptions {
  /** Saoma's origin, without a path. */
  origin: string
  /** Returns any of Saoma's own tokens for the person; `session.accessToken` is such a function. */
  token: () => Promise<Answer<string>>
  fetch?: typeof fetch
}

/**
 * The list of a person's logins. A `REVOKED` answer means that the caller's own session has ended; then call
 * `session.recheck`. Nothing is retried automatically.
 */
export interface Devices {
  /** The logins, newest first. */
  list(): Promise<Answer<SessionEntry[]>>
  /** Ends one login. `SESSION_NOT_FOUND` when it has ended already. */
  end(sid: string): Promise<Answer<void>>
  /**
   * Ends a login of which the person says: this was not me. The company can read of it. Resolves with whether
   * this call has ended the login. It may be repeated.
   */
  report(sid: string): Promise<Answer<boolean>>
  /** Ends all logins, or all but the caller's own. Resolves with their number. */
  endAll(which?: { keepCurrent: boolean }): Promise<Answer<number>>
}

const REQUEST_TIMEOUT_MS = 10_000
/** All logins of a person may end at once, and each of their pages reloads the list. */
const CHANGES_EVERY_MS = 2_000

/**
 * Calls back when a login of the person may have begun or ended: reload the list. The call comes without
 * delay, but at most every two seconds. The long poll reports no such changes, so also reload the list when
 * the page becomes visible again.
 *
 * @param room  the person's own channel, `@user`
 * @param listener  called without arguments
 * @returns the function that unsubscribes
 *
 * @example
 * ```ts
 * import { createLive, createSession, onDevicesChanged } from '@saoma/client'
 *
 * const origin = 'https://login.example.com'
 * const live = createLive({ origin, token: createSession({ origin }) })
 * const stop = onDevicesChanged(live.channel('@user'), () => {
 *   console.log('load the list') // -> load the list
 *   stop()
 * })
 * ```
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

/**
 * The list of a person's logins, to show it and to end them. It asks the server at each call, and never
 * rejects.
 *
 * @example
 * ```ts
 * import { createDevices, createSession } from '@saoma/client'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 * const devices = createDevices({ origin, token: session.accessToken })
 * const logins = await devices.list()
 * console.log(logins.ok && logins.value.find(({ current }) => current)?.client) // -> web
 * console.log((await devices.endAll({ keepCurrent: true })).ok) // -> true
 * const wasOn = await devices.report('AAAAAAAAAAAAAAAAAAAAAA')
 * console.log(wasOn.ok || wasOn.code) // -> SESSION_NOT_FOUND
 * const ended = await devices.end('AAAAAAAAAAAAAAAAAAAAAA')
 * console.log(ended.ok || ended.code) // -> SESSION_NOT_FOUND
 * ```
 */
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
    report: async (sid) => {
      const answer = await ask('POST', `/${encodeURIComponent(sid)}/report`, parseSessionsEnded)
      return answer.ok ? { ok: true, value: answer.value.ended > 0 } : answer
    },
    endAll: async ({ keepCurrent } = { keepCurrent: false }) => {
      const answer = await ask('DELETE', keepCurrent ? '?keep=current' : '', parseSessionsEnded)
      return answer.ok ? { ok: true, value: answer.value.ended } : answer
    },
  }
}
