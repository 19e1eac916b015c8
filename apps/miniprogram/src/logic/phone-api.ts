import { type Answer, request } from '@saoma/client'
import {
  type ActivityPage,
  type ConfirmationBody,
  type DecisionAnswer,
  fail,
  ok,
  parseActivity,
  parsePooledCodeAnswer,
  parseScanAnswer,
  parseTicket,
  parseTicketState,
  parseWaitingRequests,
  type Result,
  type ScanAnswer,
  type WaitingRequest,
} from '@saoma/protocol'
import { member } from './json.ts'
import type { Decision } from './login-screen.ts'
import type { Tokens } from './tokens.ts'

export interface PhoneApiOptions {
  origin: string
  fetch: typeof fetch
  /** Tokens of the client `phone`. */
  tokens: Tokens
}

/**
 * The phone's requests about a login, and about those of before. Each is one request, with a limit of ten
 * seconds, after obtaining a token if necessary.
 */
export interface PhoneApi {
  /** The ticket of a user code. */
  find(userCode: string): Promise<Answer<string>>
  /** The ticket of a pooled code. */
  resolve(scene: string, check?: string): Promise<Answer<string>>
  /** @param isListed  the request was in the person's list, and no picture was read */
  scan(ticket: string, isListed?: boolean): Promise<Answer<ScanAnswer>>
  /** @param given  goes with a confirmation: what the person has read and typed */
  decide(ticket: string, decision: Decision, given?: ConfirmationBody): Promise<Answer<DecisionAnswer>>
  /** The requests to log in that applications have sent to the person. */
  requests(): Promise<Answer<WaitingRequest[]>>
  /** Declines such a request, of which the person says: this was not me. */
  report(ticket: string): Promise<Answer<DecisionAnswer>>
  /** What happened to the person's logins, the newest first. @param cursor  of the page before */
  activity(cursor?: string): Promise<Answer<ActivityPage>>
}

const TIMEOUT_MS = 10_000

const parseDecision = (body: unknown): Result<DecisionAnswer> => {
  const state = parseTicketState(member(body, 'state'))
  return state.ok ? ok({ state: state.value }) : fail('INVALID')
}

export const createPhoneApi = ({ origin, fetch, tokens }: PhoneApiOptions): PhoneApi => {
  const call = <T>(method: string, path: string, parse: (body: unknown) => Result<T>, body?: object) =>
    tokens.use((token) =>
      request({
        fetch,
        url: `${origin}/v1/${path}`,
        init: {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'application/json',
            ...(body ? { 'content-type': 'application/json' } : {}),
          },
          ...(body ? { body: JSON.stringify(body) } : {}),
        },
        parse,
        timeoutMs: TIMEOUT_MS,
      }),
    )

  return {
    find: (userCode) =>
      call('GET', `user-codes/${encodeURIComponent(userCode)}`, (body) => parseTicket(member(body, 'ticket'))),
    resolve: async (scene, check) => {
      const answer = await call('POST', `codes/${scene}`, parsePooledCodeAnswer, check === undefined ? {} : { check })
      return answer.ok ? { ok: true, value: answer.value.ticket } : answer
    },
    scan: (ticket, isListed = false) =>
      call('POST', `tickets/${ticket}/scan${isListed ? '?listed=1' : ''}`, parseScanAnswer),
    decide: (ticket, decision, given) => {
      const isTold = decision === 'confirm' && given && Object.keys(given).length > 0
      return call('POST', `tickets/${ticket}/${decision}`, parseDecision, isTold ? given : undefined)
    },
    requests: () =>
      call('GET', 'me/requests', (body) => {
        const parsed = parseWaitingRequests(body)
        return parsed.ok ? ok(parsed.value.requests) : parsed
      }),
    report: (ticket) => call('POST', `me/requests/${ticket}/report`, parseDecision),
    activity: (cursor) => call('GET', `me/activity${cursor ? `?cursor=${cursor}` : ''}`, parseActivity),
  }
}
