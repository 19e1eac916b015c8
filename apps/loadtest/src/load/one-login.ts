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
  /** Told of each step that was made. */
  onTime: (name: Timing, ms: number) => void
  /** How long each step may take, with all that is tried again. */
  patienceMs: number
}

/**
 * How a login ended. `lost`: it was acknowledged as confirmed and gave no token. `rescan`: its tokens were
 * asked for in vain, and then its code was used up, which a node or a Redis that dies in that moment may do.
 * `failed`: it never came as far as a confirmation.
 */
export type LoginEnd =
  | { end: 'done' }
  | { end: 'wrong'; say: string }
  | ({ end: 'rescan' } & Rescan)
  | { end: 'lost' | 'failed'; kind: string; say: string }

const REQUEST_TIMEOUT_MS = 10_000
const CREATE_PATH = '/oidc/device/auth'
/** Somebody always looks, and there is always a network. */
const page = { hidden: false, online: true, onChange: () => () => {} }

const parseAny = (): Result<true> => ok(true)
const parseScan = (body: unknown): Result<true> => {
  const answer = parseScanAnswer(body)
  return answer.ok ? ok(true) : answer
}

/**
 * One whole login, as a person with a browser and a phone has it: the browser is the SDK that pages use, the
 * phone scans as soon as the browser watches, and says yes as soon as its scan is answered.
 *
 * @param dueAt  by the clock: when it should have begun
 */
export const logIn = async (deps: LoginDeps, phone: Person, dueAt: number): Promise<LoginEnd> => {
  const { url, network, clock, onTime, patienceMs } = deps
  const { promise: ended, resolve: end } = Promise.withResolvers<LoginEnd>()
  /** The SDK shows a code once it is watched; when the code itself came is to be seen here. */
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
  /** When the tokens were first asked for in vain, and what that was answered. */
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
      // To a repeated step this says that it was made before.
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
