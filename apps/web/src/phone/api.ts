import { type Answer, form, request } from '@saoma/client'
import {
  type ConfirmationBody,
  type DecisionAnswer,
  fail,
  ok,
  parseScanAnswer,
  parseTicket,
  parseTicketState,
  parseTokenSet,
  parseWaitingRequests,
  type Result,
  type ScanAnswer,
  type TokenSet,
  type WaitingRequest,
  WX_CODE_GRANT,
} from '@saoma/protocol'

const TIMEOUT_MS = 10_000

const member = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined

const parseDecision = (body: unknown): Result<DecisionAnswer> => {
  const state = parseTicketState(member(body, 'state'))
  return state.ok ? ok({ state: state.value }) : fail('INVALID')
}

export type Decision = 'confirm' | 'reject'

export interface PhoneApi {
  /** Logs in as a demo person. A server outside of demo mode answers `invalid_grant`. */
  signIn(name: string): Promise<Answer<TokenSet>>
  find(token: string, userCode: string): Promise<Answer<string>>
  /** @param isListed  the request was in the phone's list, and no picture was read */
  scan(token: string, ticket: string, isListed: boolean): Promise<Answer<ScanAnswer>>
  /** @param given  goes with a confirmation: what the person has read and typed */
  decide(token: string, ticket: string, decision: Decision, given?: ConfirmationBody): Promise<Answer<DecisionAnswer>>
  /** The requests that applications have sent to this phone. */
  requests(token: string): Promise<Answer<WaitingRequest[]>>
  /** Declines such a request, of which the person says: this was not me. */
  report(token: string, ticket: string): Promise<Answer<DecisionAnswer>>
}

export const createPhoneApi = (origin: string): PhoneApi => {
  const call = <T>(
    token: string,
    method: 'GET' | 'POST',
    path: string,
    parse: (body: unknown) => Result<T>,
    body?: object,
  ) =>
    request({
      fetch,
      url: `${origin}/v1/${path}`,
      init: {
        method,
        headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      },
      parse,
      timeoutMs: TIMEOUT_MS,
    })
  return {
    signIn: (name) =>
      request({
        fetch,
        url: `${origin}/oidc/token`,
        init: form({ grant_type: WX_CODE_GRANT, client_id: 'phone', code: `demo:${name}` }),
        parse: parseTokenSet,
        timeoutMs: TIMEOUT_MS,
      }),
    find: (token, userCode) =>
      call(token, 'GET', `user-codes/${encodeURIComponent(userCode)}`, (body) => parseTicket(member(body, 'ticket'))),
    scan: (token, ticket, isListed) =>
      call(token, 'POST', `tickets/${encodeURIComponent(ticket)}/scan${isListed ? '?listed=1' : ''}`, parseScanAnswer),
    requests: (token) =>
      call(token, 'GET', 'me/requests', (body) => {
        const parsed = parseWaitingRequests(body)
        return parsed.ok ? ok(parsed.value.requests) : parsed
      }),
    report: (token, ticket) => call(token, 'POST', `me/requests/${encodeURIComponent(ticket)}/report`, parseDecision),
    decide: (token, ticket, decision, given) => {
      const isTold = decision === 'confirm' && given && Object.keys(given).length > 0
      return call(
        token,
        'POST',
        `tickets/${encodeURIComponent(ticket)}/${decision}`,
        parseDecision,
        isTold ? given : undefined,
      )
    },
  }
}
