import type { Claims } from './claims.ts'

/**
 * How a person is known outside of Saoma. It is stored encrypted, and found by an HMAC. No client ever sees
 * it.
 */
export interface OutsideIdentity {
  provider: 'wechat' | 'app' | 'passkey' | 'demo'
  /** Where the id is valid: a mini-program's appid. Empty for demo people. */
  app: string
  /** The id there: an openid, or a demo person's name. */
  id: string
  /** What the person's ids in several apps of one owner have in common: a unionid. */
  union?: string
}

/** `disabled` can be undone. Of a `deleted` account nothing personal is left. */
export type AccountState = 'active' | 'disabled' | 'deleted'

export interface Account {
  /** Stable: the only name of the person in tokens. Random, unless the business chose it. */
  sub: string
  state: AccountState
  claims: Claims
}

/**
 * What the business says about a person. `detail` is a sentence for that person. `phoneNumber` is not the
 * business's: it is what WeChat has told. `profile` is what the token of the business's app says. If there
 * are no `claims`, it is added to what is known.
 */
export type Decision = { allow: true; sub?: string; claims?: Claims; phoneNumber?: string; profile?: Claims } | Refused

/**
 * Why a person gets no account at the moment: the business says no, the account is disabled, the business or
 * WeChat does not answer, WeChat rejects the code for the phone number, or too many accounts were created
 * recently. `sub` is the person's account, if it was met. `reason` is more about it. Both are for records,
 * not for the client.
 */
export type Refused =
  | { allow: false; why: 'ACCOUNT_REFUSED'; detail?: string; sub?: string; reason?: string }
  | { allow: false; why: 'ACCOUNT_DISABLED'; sub?: string }
  | { allow: false; why: 'BACKEND_UNAVAILABLE' | 'WECHAT_UNAVAILABLE' | 'PHONE_CODE_REJECTED' }
  | { allow: false; why: 'RATE_LIMITED'; waitSeconds: number }

export interface Met {
  allow: true
  sub: string
  /** This meeting has created the account. */
  isNew?: true
}

export interface Meeting {
  /** Called before an account is created. Resolves with the seconds to wait, if none may be created. */
  mayBegin?: () => Promise<number | undefined>
  /**
   * Asks the business. `sub` is the person's account if there is one already. `isNew` means that it has not
   * said yes to this account before. Never rejects, but for RedisUnavailable.
   */
  decide?: (known: { isNew: boolean; sub?: string }) => Promise<Decision | undefined>
}
