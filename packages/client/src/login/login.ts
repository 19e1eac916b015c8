import { type DeviceAuthorization, parseDeviceAuthorization, type TicketState } from '@saoma/protocol'
import { backoffMs, pause } from '../core/backoff.ts'
import { decodeClaims } from '../core/claims.ts'
import { createEmitter } from '../core/emitter.ts'
import { browserPage } from '../core/page.ts'
import { type Failure, failureFor, unexpected } from '../core/request.ts'
import { browserStorage, createStored, type Place, takePlace } from '../core/storage.ts'
import { createFollow } from './follow.ts'
import type { Known } from './known.ts'
import { createLoginApi } from './login-api.ts'
import type { Login, LoginEvents, LoginOptions } from './login-options.ts'
import { type LoginConnection, type LoginState, stateOf } from './login-state.ts'
import { redeem } from './redeem.ts'

export type { Login, LoginEvents, LoginOptions } from './login-options.ts'

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
 * const box = document.body.appendChild(document.createElement('input'))
 * box.type = 'checkbox' // Remember this browser
 * const login = createLogin({ origin, showsNumber: true, remembers: () => box.checked })
 * const ask = document.body.appendChild(document.createElement('button'))
 * ask.onclick = () => login.ask()
 * login.on('person', (person) => {
 *   ask.textContent = person ? `Continue as ${person.name ?? 'before'}` : ''
 * })
 * const picture = document.body.appendChild(document.createElement('img'))
 * picture.onclick = async () => {
 *   const link = await login.link()
 *   if (link.ok) location.assign(link.value.url)
 * }
 * login.on('state', (state) => {
 *   if (state.status === 'waiting') picture.src = state.qr
 *   if (state.status === 'scanned' && state.number) picture.alt = `Enter ${state.number} on your phone`
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
  const binding = () => (typeof options.dpop === 'function' ? options.dpop() : options.dpop)
  const { fetch = globalThis.fetch, showsNumber = false } = options
  const { remembers = false } = options
  let known: Known | undefined
  const findKnown = async (): Promise<Known | undefined> => {
    if (!remembers || known) return known
    const { createKnown } = await import('./known.ts')
    const stored = createStored(browserStorage('localStorage'), `saoma:known:${origin}`)
    known ??= createKnown(origin, { stored, claimsOf: decodeClaims })
    return known
  }
  /** Where that cannot be loaded there is a code as always. */
  const knownPerson = () => findKnown().catch(() => undefined)
  const wants = () => (typeof remembers === 'function' ? remembers() : remembers)
  const api = createLoginApi({ origin, clientId, fetch, binding, showsNumber, known: knownPerson, remembers: wants })
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
    const before = known?.person?.sub
    const answer = await redeem({ api, deviceCode, windowMs, random, signal, onFailure: fault })
    if (signal.aborted) return
    saved.clear()
    if (known?.person?.sub !== before) events.emit('person', known?.person)
    if (answer.ok) return enter({ status: 'done', tokens: answer.value })
    if (answer.code === 'expired_token') return expired()
    if (answer.code === 'access_denied') return enter({ status: 'rejected' })
    failed(answer)
  }

  const follow = (authorization: DeviceAuthorization, asks: boolean, signal: AbortSignal) => {
    const { device_code: deviceCode } = authorization
    followed = { deviceCode, signal }
    const onState = (ticket: TicketState) => {
      if (ticket.status === 'confirmed') {
        following.close()
        run(() => collect(deviceCode, ticket.expiresIn * 1_000, signal))
        return
      }
      const next = stateOf(authorization, ticket, Date.now(), asks)
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

  const create = async (asks: boolean, signal: AbortSignal): Promise<DeviceAuthorization | undefined> => {
    // Nobody should scan for a login that this browser cannot keep.
    const may = binding() ? await api.mayRedeem() : undefined
    if (signal.aborted) return
    if (may?.ok === false) {
      fault(may)
      failed(may)
      return
    }
    for (let attempt = 1; ; attempt++) {
      const answer = await api.authorize(scope, asks, signal)
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

  /** @param asks  whether the code is to ask the phone of the person who is known */
  const begin = async (asks = false) => {
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
    const authorization = recalled ?? (await create(asks, signal))
    if (!authorization) return
    if (!recalled) saved.write({ authorization, expiresAt: Date.now() + authorization.expires_in * 1_000 })
    follow(authorization, asks, signal)
  }

  const start = (asks = false) => {
    if (round && !round.signal.aborted && !over(state)) return
    place ??= takePlace(storage, name)
    if (place.key !== saved.key) saved = createStored(storage, place.key)
    unlisten()
    unlisten = page.onChange(() => {
      if (state.status === 'expired' && !page.hidden && renewals < maxRenewals) expired()
    })
    run(() => begin(asks))
    if (remembers && !known)
      void knownPerson().then((found) => {
        if (found?.person) events.emit('person', found.person)
      })
  }

  const renew = (asks = false) => {
    renewals = 0
    saved.clear()
    round?.abort()
    start(asks)
  }

  return {
    get person() {
      return known?.person
    },
    ask: () => renew(true),
    forget: () => {
      known?.forget()
      events.emit('person', undefined)
      if ('pushed' in state && state.pushed) renew()
    },
    get state() {
      return state
    },
    get connection() {
      return connection
    },
    on: events.on,
    start: () => start(),
    renew: () => renew(),
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
