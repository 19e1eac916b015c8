import type { Accounts, OutsideIdentity } from './accounts.ts'
import { errors, type KoaContextWithOIDC, type ResourceServer } from './oidc-provider.ts'
import { tooMany } from './too-many.ts'

/** The result for a phone's code: a person, or the reason why there is none. */
export type Recognition =
  | {
      ok: true
      identity: OutsideIdentity
      /**
       * Called before an account is created for this person, to limit new accounts. Resolves with the seconds
       * to wait.
       */
      mayBegin?: () => Promise<number | undefined>
    }
  | { ok: false; kind: 'rejected' | 'unavailable'; message: string }
  /** The rate limit was reached. */
  | { ok: false; kind: 'limited'; seconds: number }
/** `from` is the client's address. Rejects with RedisUnavailable. */
export type Recognise = (code: string, from: string) => Promise<Recognition>

/**
 * The grant type of the mini-program: it exchanges a single-use `wx.login` code for an access token. Only
 * WeChat says who the person is. There is no refresh token: the phone can always get another code from
 * WeChat, so it need not store a long-lived secret.
 */
export const wxCodeGrant =
  (
    accounts: Accounts,
    recognise: Recognise,
    resource: string,
    resourceServerOf: (clientId: string) => ResourceServer,
    outage: (error: unknown) => unknown,
  ) =>
  async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { provider, client, params } = ctx.oidc
    const code = params?.code
    if (typeof code !== 'string' || !/^[\x21-\x7e\u00a0-\uffff ]{1,128}$/.test(code)) {
      throw new errors.InvalidRequest('code must be a string of 1 to 128 printable characters')
    }
    const recognised = await recognise(code, ctx.ip).catch((error: unknown) => {
      throw outage(error)
    })
    if (!recognised.ok) {
      if (recognised.kind === 'limited') throw tooMany(ctx, recognised.seconds)
      if (recognised.kind === 'rejected') throw new errors.InvalidGrant(recognised.message)
      throw Object.assign(new errors.TemporarilyUnavailable(recognised.message), { status: 502, statusCode: 502 })
    }
    const account = await accounts.of(recognised.identity, recognised.mayBegin).catch((error: unknown) => {
      throw outage(error)
    })
    if ('waitSeconds' in account) throw tooMany(ctx, account.waitSeconds)
    if (!client) throw new errors.InvalidClient()

    // The token has no grant and no session: it lives ten minutes and cannot be renewed.
    const token = new provider.AccessToken({
      accountId: account.sub,
      client,
      grantId: '',
      gty: 'wx_code',
      scope: 'openid',
    })
    token.resourceServer = new provider.ResourceServer(resource, resourceServerOf(client.clientId))
    ctx.body = {
      access_token: await token.save(),
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope: 'openid',
    }
  }
