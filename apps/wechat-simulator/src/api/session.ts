import { credentialError, type Endpoint } from './endpoint.ts'

/** `GET /sns/jscode2session`: code2Session. */
export const session: Endpoint = (state, { method, query }) => {
  if (method !== 'GET') return 43001
  const [appid, secret, jsCode] = [query.get('appid'), query.get('secret'), query.get('js_code')]
  if (!appid) return 41002
  if (!secret) return 41004
  if (!jsCode) return 41008
  if (query.get('grant_type') !== 'authorization_code') return 40002
  return credentialError(state, appid, secret) ?? state.logins.session(jsCode)
}
