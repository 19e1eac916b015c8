import type { Accounts, Meeting, OutsideIdentity } from '@saoma/accounts'
import { errors, type KoaContextWithOIDC, type ResourceServer } from './oidc-provider.ts'
import { orOutage } from './outage.ts'
import { scopesOf, signPhoneToken } from './phone-token.ts'
import { refusalOf } from './refusal.ts'
import { tooMany } from './too-many.ts'

/** The result for a phone's code: a person, or the reason why there is none. */
export type Recognition =
  | {
      ok: true
      identity: OutsideIdentity
      meeting?: Meeting
      /** What became of the code for the phone number, once the person was met. Undefined if nobody asked. */
      phoneCode?: () => PhoneCodeOutcome | undefined
    }
  | { ok: false; kind: 'rejected' | 'unavailable'; message: string }
  /** The rate limit was reached. */
  | { ok: false; kind: 'limited'; seconds: number }
/**
 * What became of a code for the phone number. The client is told, because the person gets in without the
 * number, too.
 */
export type PhoneCodeOutcome = 'accepted' | 'rejected' | 'unavailable'
/** What a client may send beside the code of `wx.login`. */
export interface RecogniseOptions {
  /** Appid of the mini-program. @default the first one */
  app?: string
  /** A code of WeChat's button for the phone number, if the person has pressed it. */
  phoneCode?: string
}
/** `from` is the client's address. Rejects with RedisUnavailable. */
export type Recognise = (code: string, from: string, options?: RecogniseOptions) => Promise<Recognition>

/** A code of WeChat: 1 to 128 printable characters. */
const isCode = (code: unknown): code is string =>
  typeof code === 'string' && /^[\x21-\x7e\u00a0-\uffff ]{1,128}$/.test(code)

/**
 * The grant type of the mini-program: it exchanges a single-use `wx.login` code for an access token. Only
 * WeChat says who the person is. There is no refresh token: the phone can always get another code from
 * WeChat, so it need not store a long-lived secret.
 */
export const wxCodeGrant =
  (
    accounts: Pick<Accounts, 'of'>,
    recognise: Recognise,
    resource: string,
    resourceServerOf: (clientId: string) => ResourceServer,
  ) =>
  async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { code, app, phone_code: phoneCode } = ctx.oidc.params ?? {}
    if (!isCode(code)) throw new errors.InvalidRequest('code must be a string of 1 to 128 printable characters')
    if (phoneCode !== undefined && !isCode(phoneCode))
      throw new errors.InvalidRequest('phone_code must be a string of 1 to 128 printable characters')
    if (app !== undefined && (typeof app !== 'string' || !/^[\w-]{1,64}$/.test(app)))
      throw new errors.InvalidRequest('app must be an appid')
    const scopes = scopesOf(ctx)
    const options = { ...(app === undefined ? {} : { app }), ...(phoneCode === undefined ? {} : { phoneCode }) }
    const recognised = await orOutage(recognise(code, ctx.ip, options))
    if (!recognised.ok) {
      if (recognised.kind === 'limited') throw tooMany(ctx, recognised.seconds)
      if (recognised.kind === 'rejected') throw new errors.InvalidGrant(recognised.message)
      throw Object.assign(new errors.TemporarilyUnavailable(recognised.message), { status: 502, statusCode: 502 })
    }
    const account = await orOutage(accounts.of(recognised.identity, recognised.meeting))
    if (!account.allow) throw refusalOf(ctx, account)
    const outcome = recognised.phoneCode?.()
    const signed = await signPhoneToken(ctx, {
      ...{ sub: account.sub, gty: 'wx_code', scopes, resource },
      serverOf: resourceServerOf,
    })
    ctx.body = { ...signed, ...(outcome ? { phone_code: outcome } : {}) }
  }
