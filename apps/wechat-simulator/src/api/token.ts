import { credentialError, type Endpoint } from './endpoint.ts'

/** `GET /cgi-bin/token`: getAccessToken. */
export const token: Endpoint = (state, { method, query }) => {
  if (method !== 'GET') return 43001
  if (query.get('grant_type') !== 'client_credential') return 40002
  const [appid, secret] = [query.get('appid'), query.get('secret')]
  if (!appid) return 41002
  if (!secret) return 41004
  return credentialError(state, appid, secret) ?? state.tokens.normal()
}
