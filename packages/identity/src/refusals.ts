import { errorPage } from './error-page.ts'
import { errors, type KoaContextWithOIDC, type Provider } from './oidc-provider.ts'
import { outage } from './outage.ts'

type OnError = (ctx: KoaContextWithOIDC, error: Error) => void

const EVENTS = [
  'grant.error',
  'device_authorization.error',
  'backchannel_authentication.error',
  'revocation.error',
  'introspection.error',
  'authorization.error',
  'pushed_authorization_request.error',
  'end_session.error',
  'end_session_confirm.error',
  'discovery.error',
  'jwks.error',
  'server_error',
] as const

/** Reports what the provider refuses, and what fails in it. */
export const reportRefusals = (provider: Provider, onError: OnError): void => {
  for (const event of EVENTS)
    provider.on(event as 'grant.error', (ctx, error) => {
      // This is no refusal yet: see structured-tokens.ts.
      if (!(error instanceof errors.UnsupportedTokenType)) onError(ctx, error)
    })
}

/**
 * Answers a request with what failed behind the provider's own answer. Throws what is no error of OAuth.
 *
 * @param isSeen  whether people see the answer
 */
export const answerFailure = (ctx: KoaContextWithOIDC, error: unknown, onError: OnError, isSeen = false): void => {
  const failure = outage(error)
  if (!(failure instanceof errors.OIDCProviderError)) throw failure
  ctx.status = failure.statusCode
  if (isSeen) errorPage(ctx, failure)
  else ctx.body = { error: failure.error, error_description: failure.error_description }
  onError(ctx, failure)
}
