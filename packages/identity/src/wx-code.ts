import type { Accounts, OutsideIdentity } from './accounts.ts'
import { errors, type KoaContextWithOIDC, type ResourceServer } from './oidc-provider.ts'
import { tooMany } from './too-many.ts'

/** How the phone's code was received: a person, or the reason there is none. */
export type Recognition =
  | {
      ok: true
      identity: OutsideIdentity
      /**
       * Asked before an account is made for them, where that may be too many; resolves with the seconds to
       * wait.
       */
      mayBegin?: () => Promise<number | undefined>
    }
  | { ok: false; kind: 'rejected' | 'unavailable'; message: string }
  /** Too many were asked for. */
  | { ok: false; kind: 'limited'; seconds: number }
/** `from` is the address that the code came from. Rejects with RedisUnavailable. */
export type Recognise = (code: string, from: string) => Promise<Recognition>

/**
 * The grant of the mini-program: a single-use `wx.login` code becomes an access token. Who the person is
 * comes from WeChat alone. There is no refresh token: the phone can always ask WeChat for another code, so
 * nothing long-lived need lie on it.
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

    // No grant stands behind it, so it carries no session: it lives ten minutes and cannot be renewed.
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
