import { lookUp, type Remedy } from './errcodes.ts'
import type { Outcome } from './request.ts'

/**
 * Why a call failed. `unavailable`: try later. `rejected`: the person or their code is at fault.
 * `misconfigured`: an operator has to act. The message is for the log and contains no secret.
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

/** The reaction to a failed try: from the table for a refusal, otherwise mostly a retry. */
export const remedyOf = (outcome: Failed): Remedy => {
  if (outcome.kind === 'refused') return lookUp(outcome.errcode).remedy
  // 3xx and 4xx come from a proxy that was configured as WeChat's address; they are not temporary.
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

/** @param refresh  the meaning of a refused access token where it cannot be renewed */
export const failureOf = (outcome: Failed, refresh: WechatFailure['kind']): WechatFailure => {
  const remedy = remedyOf(outcome)
  return {
    ok: false,
    kind: remedy === 'retry' ? 'unavailable' : remedy === 'refresh' ? refresh : remedy,
    ...(outcome.kind === 'refused' ? { errcode: outcome.errcode } : {}),
    message: describe(outcome),
  }
}
