import {
  type DeviceAuthorization,
  parseDeviceAuthorization,
  type TicketLink,
  type TicketState,
  type TokenSet,
} from '@saoma/protocol'
import { backoffMs, pause } from '../core/backoff.ts'
import type { Transports } from '../core/connection.ts'
import { createEmitter, type Listenable } from '../core/emitter.ts'
import { browserPage, type Page } from '../core/page.ts'
import { type Answer, type Failure, failureFor, unexpected } from '../core/request.ts'
import { browserStorage, createStored, type KeyValue, type Place, takePlace } from '../core/storage.ts'
import { createFollow } from './follow.ts'
import { createLoginApi } from './login-api.ts'
import { type LoginConnection, type LoginState, stateOf } from './login-state.ts'
import { redeem } from './redeem.ts'

/** Where people log in, and how. */
export interface LoginOptions {
  /** Saoma's origin, without a path: `https://login.example.com`. */
  origin: string
  /** The OAuth client. @default 'web' */
  clientId?: string
  /** Scopes, with a space between two. @default 'openid profile offline_access' */
  scope?: string
  /**
   * A ticket that is confirmed and belongs to this browser by cookie: pages of WeChat's own long poll return
   * to `${origin}/?ticket=…`. The login redeems it instead of requesting a code. If that is too late, it
   * shows a code as usual.
   */
  ticket?: string
  /** Socket.IO transports, by name or as classes. Empty: long poll only. @default ['websocket'] */
  transports?: Transports
  /** Automatic renewals of the code, so that a forgotten tab does not renew for ever. @default 5 */
  maxRenewals?: number
  fetch?: typeof fetch
  /** Where the device code is stored over a reload. @default sessionStorage */
  storage?: KeyValue
  /** @default the browser's page */
  page?: Page
  /** Returns `[0, 1)`; for the jitter of retries. */
  random?: () => number
}

/** Events of a login. */
export interface LoginEvents {
  state: LoginState
  connection: LoginConnection
  /** The person is logged in. */
  tokens: TokenSet
  /** Each failed request, also those that are retried. For logs. */
  error: Failure
}

/** A login by code, from the picture to the tokens. It does nothing before `start`. */
export interface Login extends Listenable<LoginEvents> {
  readonly state: LoginState
  readonly connection: LoginConnection
  /**
   * Shows a code: the stored one from before a reload if it is still valid, else a new one. Does nothing
   * while a code is being requested.
   */
  start(): void
  /** Drops the present code and requests a new one. */
  renew(): void
  /**
   * Gets an address that opens the present code in the app on the same phone. Call it only where a person can
   * use it: each call costs the server a call to WeChat. A failure does not affect the code.
   */
  link(): Promise<Answer<TicketLink>>
  /** Stops everything. The present code stays valid, and `start` continues it. */
  close(): void
}

const CREATE_ATTEMPTS = 8
const CREATE_RETRY = { baseMs: 500, capMs: 15_000 }
/**
 * A stored code is worth reading for this long after its scan deadline, because it may have been scanned or
 * confirmed.
 */
const AFTER_SCAN_MS = 120_000

/**
 * Makes a login by code (RFC 8628) without anything to look at: the page shows what its states have. It does
 * nothing before `start`. `<saoma-login>` is such a page.
 *
 * @example
 * ```ts
 * import { createLogin, createSession } from '@saoma/client'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 * const login = createLogin({ origin })
 * const picture = document.body.appendChild(document.createElement('img'))
 * picture.onclick = async () => {
 *   const link = await login.link()
 *   if (link.ok) location.assign(link.value.url)
 * }
 * login.on('state', (state) => {
 *   if (state.status === 'waiting') picture.src = state.qr
 *   if (state.status === 'rejected') login.renew()
 * })
 * login.on('tokens', (tokens) => {
 *   session.adopt(tokens)
 *   login.close()
 *   console.log(session.claims?.name) // -> Ann
 * })
 * login.start()
 * ```
 */
export const createLogin = (options: LoginOptions): Login => {
  const { clientId = 'web', scope = 'openid profile offline_access', maxRenewals = 5, random = Math.random } = options
  const origin = options.origin.replace(/\/+$/, '')
  const page = options.page ?? browserPage()
  const api = createLoginApi({ origin, clientId, fetch: options.fetch ?? globalThis.fetch })
  const storage = options.storage ?? browserStorage('sessionStorage')
  const name = `saoma:login:${origin}:${clientId}`
  let place: Place | undefined
  let saved = createStored(storage, name)
  const events = createEmitter<LoginEvents>()
  let state: LoginState = { status: 'idle' }
  let connection: LoginConnection = 'connecting'
  let round: AbortController | undefined
  let followed: { deviceCode: string; signal: AbortSignal } | undefined
  let renewals = 0
  let handedTicket = options.ticket
  let unlisten = () => {}

  const enter = (next: LoginState) => {
    state = next
    events.emit('state', next)
    if (next.status === 'done') events.emit('tokens', next.tokens)
  }

  const connected = (next: LoginConnection) => {
    if (next === connection) return
    connection = next
    events.emit('connection', next)
  }

  const fault = (failure: Failure) => events.emit('error', failure)

  const failed = ({ code, react, message }: Failure) => enter({ status: 'failed', code, react, message })

  /** Catches every exception, so that the page does not wait for ever. */
  const run = (work: () => Promise<void>) => {
    work().catch((error: unknown) => {
      round?.abort()
      fault(unexpected(error))
      failed(unexpected(error))
    })
  }

  /** The code has expired. A hidden page, or one that was renewed often, needs no new one. */
  const expired = () => {
    saved.clear()
    if (page.hidden || renewals >= maxRenewals) return enter({ status: 'expired' })
    renewals++
    run(begin)
  }

  const collect = async (deviceCode: string, windowMs: number, signal: AbortSignal) => {
    enter({ status: 'confirmed' })
    const answer = await redeem({ api, deviceCode, windowMs, random, signal, onFailure: fault })
    if (signal.aborted) return
    saved.clear()
    if (answer.ok) return enter({ status: 'done', tokens: answer.value })
    if (answer.code === 'expired_token') return expired()
    if (answer.code === 'access_denied') return enter({ status: 'rejected' })
    failed(answer)
  }

  const follow = (authorization: DeviceAuthorization, signal: AbortSignal) => {
    const { device_code: deviceCode } = authorization
    followed = { deviceCode, signal }
    const onState = (ticket: TicketState) => {
      if (ticket.status === 'confirmed') {
        following.close()
        run(() => collect(deviceCode, ticket.expiresIn * 1_000, signal))
        return
      }
      const next = stateOf(authorization, ticket, Date.now())
      if (next.status === 'expired') return expired()
      if (next.status === 'rejected') saved.clear()
      enter(next)
    }
    const onRefused = (failure: Failure) => {
      fault(failure)
      if (failure.react !== 'stop') return expired()
      saved.clear()
      failed(failure)
    }
    const { transports = ['websocket'] } = options
    const following = createFollow({
      origin,
      deviceCode,
      api,
      page,
      transports,
      random,
      onState,
      onConnection: connected,
      onRefused,
    })
    signal.addEventListener('abort', following.close)
  }

  const create = async (signal: AbortSignal): Promise<DeviceAuthorization | undefined> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await api.authorize(scope, signal)
      if (signal.aborted) return
      if (answer.ok) return answer.value
      fault(answer)
      if (answer.react !== 'retry' || attempt === CREATE_ATTEMPTS) {
        failed(answer)
        return
      }
      await pause(Math.max(answer.retryAfterMs ?? 0, backoffMs(attempt, CREATE_RETRY, random)), signal)
    }
  }

  /** The stored code from before a reload. */
  const recall = (): DeviceAuthorization | undefined => {
    const { authorization, expiresAt } = (saved.read() ?? {}) as { authorization?: unknown; expiresAt?: unknown }
    const parsed = parseDeviceAuthorization(authorization)
    return parsed.ok && Date.now() < Number(expiresAt) + AFTER_SCAN_MS ? parsed.value : undefined
  }

  const begin = async () => {
    round?.abort()
    round = new AbortController()
    const { signal } = round
    connected('connecting')
    enter({ status: 'creating' })
    if (handedTicket) {
      const resumed = await api.resume(handedTicket, signal)
      if (signal.aborted) return
      handedTicket = undefined
      if (!resumed.ok) fault(resumed)
      else if (resumed.value.state.status === 'confirmed')
        return collect(resumed.value.deviceCode, resumed.value.state.expiresIn * 1_000, signal)
    }
    const recalled = recall()
    const authorization = recalled ?? (await create(signal))
    if (!authorization) return
    if (!recalled) saved.write({ authorization, expiresAt: Date.now() + authorization.expires_in * 1_000 })
    follow(authorization, signal)
  }

  const start = () => {
    if (round && !round.signal.aborted && !over(state)) return
    place ??= takePlace(storage, name)
    if (place.key !== saved.key) saved = createStored(storage, place.key)
    unlisten()
    unlisten = page.onChange(() => {
      if (state.status === 'expired' && !page.hidden && renewals < maxRenewals) expired()
    })
    run(begin)
  }

  return {
    get state() {
      return state
    },
    get connection() {
      return connection
    },
    on: events.on,
    start,
    renew: () => {
      renewals = 0
      saved.clear()
      round?.abort()
      start()
    },
    link: async () =>
      followed && !followed.signal.aborted
        ? api.link(followed.deviceCode, followed.signal)
        : failureFor('TICKET_NOT_FOUND'),
    close: () => {
      round?.abort()
      unlisten()
      place?.free()
      place = undefined
      enter({ status: 'idle' })
    },
  }
}

/** Whether nothing more happens without a call. */
const over = (state: LoginState): boolean => ['idle', 'rejected', 'expired', 'done', 'failed'].includes(state.status)
