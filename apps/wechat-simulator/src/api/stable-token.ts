import * as v from 'valibot'
import { credentialError, type Endpoint, parseObject } from './endpoint.ts'

const Body = v.object({
  grant_type: v.optional(v.string()),
  appid: v.optional(v.string()),
  secret: v.optional(v.string()),
  force_refresh: v.optional(v.boolean(), false),
})

/** `POST /cgi-bin/stable_token`: getStableAccessToken. */
export const stableToken: Endpoint = (state, call) => {
  if (call.method !== 'POST') return 43002
  if (!call.body) return 44002
  const body = v.safeParse(Body, parseObject(call.body))
  if (!body.success) return 47001
  const { grant_type, appid, secret, force_refresh } = body.output
  if (grant_type !== 'client_credential') return 40002
  if (!appid) return 41002
  if (!secret) return 41004
  const refused = credentialError(state, appid, secret)
  if (refused) return refused
  if (!state.quotas.tokensOfMinute()) return 45011
  if (!state.quotas.tokensOfDay()) return 45009
  return force_refresh ? (state.tokens.force() ?? 45009) : state.tokens.stable()
}
