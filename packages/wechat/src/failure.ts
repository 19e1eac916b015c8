import { lookUp, type Remedy } from './errcodes.ts'
import type { Outcome } from './request.ts'

/**
 * Why there is no answer: `unavailable` try later, `rejected` the person or their code is at fault,
 * `misconfigured` an operator has to act. The message is for the log and holds no secret.
 */
export type WechatFailure = {
  ok: false
  kind: 'unavailable' | 'rejected' | 'misconfigured'
  errcode?: number
  message: string
}

export const unavailable = (message: string): WechatFailure => ({ ok: false, kind: 'unavailable', message })
export const rejected = (message: string): WechatFailure => ({ ok: false, kind: 'rejected', message })
export const misconfigured = (message: string): WechatFailure => ({ ok: false, kind: 'misconfigured', message })

export type Failed = Exclude<Outcome<never>, { kind: 'answer' }>

/** What to do about a failed try: the table for a refusal, and for the rest to try again. */
export const remedyOf = (outcome: Failed): Remedy => {
  if (outcome.kind === 'refused') return lookUp(outcome.errcode).remedy
  // 3xx and 4xx come from something in between that was told where WeChat is; they do not pass.
  return outcome.kind === 'status' && outcome.status < 500 ? 'unavailable' : 'retry'
}

const describe = (outcome: Failed): string => {
  switch (outcome.kind) {
    case 'unreachable':
      return `WeChat does not answer (${outcome.reason})`
    case 'status':
      return `an answer with HTTP status ${outcome.status}, which WeChat does not use`
    case 'body':
      return 'an answer that WeChat does not document'
    case 'refused': {
      const { errcode, rid } = outcome
      return `${lookUp(errcode).say} (${errcode}${rid ? `, rid ${rid}` : ''})`
    }
  }
}

/** @param refresh  what a refused access token means where none can be renewed */
export const failureOf = (outcome: Failed, refresh: WechatFailure['kind']): WechatFailure => {
  const remedy = remedyOf(outcome)
  return {
    ok: false,
    kind: remedy === 'retry' ? 'unavailable' : remedy === 'refresh' ? refresh : remedy,
    ...(outcome.kind === 'refused' ? { errcode: outcome.errcode } : {}),
    message: describe(outcome),
  }
}
