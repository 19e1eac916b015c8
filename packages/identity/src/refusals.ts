import { errors, type KoaContextWithOIDC, type Provider } from './oidc-provider.ts'

const EVENTS = [
  'grant.error',
  'device_authorization.error',
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
export const reportRefusals = (provider: Provider, onError: (ctx: KoaContextWithOIDC, error: Error) => void): void => {
  for (const event of EVENTS)
    provider.on(event as 'grant.error', (ctx, error) => {
      // This is no refusal yet: see structured-tokens.ts.
      if (!(error instanceof errors.UnsupportedTokenType)) onError(ctx, error)
    })
}
