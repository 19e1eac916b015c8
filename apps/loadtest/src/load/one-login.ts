import { createLogin, createMemoryStorage, decodeClaims, type Failure, request } from '@saoma/client'
import { ok, parseScanAnswer, type Result } from '@saoma/protocol'
import type { Clock } from './clock.ts'
import type { Timing } from './metric-names.ts'
import type { Network } from './network.ts'
import { type Person, persist } from './people.ts'
import type { Rescan } from './rescans.ts'

export interface LoginDeps {
  url: string
  network: Network
  clock: Clock
  /** Called with the time of each completed step. */
  onTime: (name: Timing, ms: number) => void
  /** Time limit of each step, retries included. */
  patienceMs: number
}

/**
 * The outcome of a login.
 * - `lost`: the confirmation was acknowledged, but there is no token.
 * - `rescan`: the first request for tokens failed, and the code was used up afterwards. A node or a Redis
 *   that dies at that moment may cause this.
 * - `failed`: the login was not confirmed.
 */
export type LoginEnd =
  | { end: 'done' }
  | { end: 'wrong'; say: string }
  | ({ end: 'rescan' } & Rescan)
  | { end: 'lost' | 'failed'; kind: string; say: string }

const REQUEST_TIMEOUT_MS = 10_000
const CREATE_PATH = '/oidc/device/auth'
/** The page is always visible and always online. */
const page = { hidden: false, online: true, onChange: () => () => {} }

const parseAny = (): Result<true> => ok(true)
const parseScan = (body: unknown): Result<true> => {
  const answer = parseScanAnswer(body)
  return answer.ok ? ok(true) : answer
}

/**
 * One whole login of a person with a browser and a phone. The browser is the SDK of the pages. The phone
 * scans as soon as the browser watches, and confirms as soon as its scan is answered.
 *
 * @param dueAt  scheduled start, by the clock
 */
export const logIn = async (deps: LoginDeps, phone: Person, dueAt: number): Promise<LoginEnd> => {
  const { url, network, clock, onTime, patienceMs } = deps
  const { promise: ended, resolve: end } = Promise.withResolvers<LoginEnd>()
  /** The SDK shows a code only when it watches it. This wrapper sees when the code itself arrives. */
  const seeing: typeof fetch = async (input, init) => {
    const response = await network.fetch(input, init)
    if (response.ok && String(input).endsWith(CREATE_PATH)) {
      createdAt = clock.now()
      onTime('create', createdAt - dueAt)
    }
    return response
  }
  const login = createLogin({
    origin: url,
    fetch: seeing,
    transports: [network.transport],
    storage: createMemoryStorage(),
    page,
    maxRenewals: 0,
  })
  let ticket = ''
  let createdAt = 0
  let scannedAt = 0
  let yesAt = 0
  let confirmedAt = 0
  let acknowledged = false
  let lastFailure: Failure | undefined
  /** When the first request for tokens failed, and its answer. */
  let vain: { at: number; answer?: string } | undefined

  const timer = setTimeout(() => stop('timeout', `nothing more for ${patienceMs / 1_000} s`), patienceMs)
  const stop = (kind: string, why: string) => {
    const say = `login ${ticket || 'without a code'} of ${phone.sub}: ${why}`
    if (acknowledged && vain && kind === 'invalid_grant') return end({ end: 'rescan', say, ...vain })
    end({ end: acknowledged ? 'lost' : 'failed', kind: `login: ${kind}`, say })
  }

  const act = async (verb: 'scan' | 'confirm', parse: (body: unknown) => Result<true>): Promise<boolean> => {
    let repeated = false
    const answer = await persist(async () => {
      const init = { method: 'POST', headers: { authorization: `Bearer ${await phone.token()}` } }
      const given = await request({
        fetch: network.fetch,
        url: `${url}/v1/tickets/${ticket}/${verb}`,
        init,
        parse,
        timeoutMs: REQUEST_TIMEOUT_MS,
      })
      // A repeated step gets this answer if the first attempt succeeded.
      if (!given.ok && given.code === 'TICKET_SETTLED' && repeated) return { ok: true, value: true } as const
      repeated = true
      return given
    }, patienceMs)
    if (!answer.ok) stop(answer.code, `${verb} was answered ${answer.code}: ${answer.message}`)
    return answer.ok
  }

  const usePhone = async () => {
    scannedAt = clock.now()
    if (!(await act('scan', parseScan))) return
    yesAt = clock.now()
    acknowledged = await act('confirm', parseAny)
  }

  login.on('error', (failure) => {
    lastFailure = failure
    if (confirmedAt > 0 && failure.react === 'retry')
      vain ??= { at: clock.now(), ...(failure.code === 'NETWORK' ? {} : { answer: failure.code }) }
  })
  login.on('state', (state) => {
    const now = clock.now()
    switch (state.status) {
      case 'waiting':
        ticket = state.ticket
        if (scannedAt > 0) return
        if (login.connection === 'socket') onTime('watch', now - createdAt)
        usePhone().catch((error: unknown) => stop('phone', String(error)))
        return
      case 'scanned':
        return onTime('scan', now - scannedAt)
      case 'confirmed':
        confirmedAt = now
        return yesAt > 0 ? onTime('confirm', now - yesAt) : undefined
      case 'done': {
        onTime('redeem', now - confirmedAt)
        onTime('login', now - dueAt)
        const sub = decodeClaims(state.tokens.access_token)?.sub
        if (sub === phone.sub) return end({ end: 'done' })
        return end({ end: 'wrong', say: `login ${ticket} of ${phone.sub} became a token of ${sub}` })
      }
      case 'failed':
        return stop(state.code, `${state.code}: ${state.message}`)
      case 'rejected':
      case 'expired':
        return stop(lastFailure?.code ?? state.status, `${state.status} ${lastFailure?.message ?? ''}`.trim())
    }
  })
  login.start()
  try {
    return await ended
  } finally {
    clearTimeout(timer)
    login.close()
  }
}
