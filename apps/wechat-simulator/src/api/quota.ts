import * as v from 'valibot'
import type { Quota } from '../quota.ts'
import type { State } from '../state.ts'
import { type Endpoint, parseObject } from './endpoint.ts'

const Body = v.object({ cgi_path: v.string() })

/** The quotas of an API, of the day and of a shorter time. */
const quotasOf = ({ quotas }: State, path: string): { day?: Quota; short?: Quota } | undefined => {
  switch (path) {
    case '/wxa/getwxacodeunlimit':
      return { short: quotas.codes }
    case '/wxa/generate_urllink':
    case '/wxa/generatescheme':
      return { day: quotas.linksOfDay, short: quotas.linksOfSecond }
    case '/cgi-bin/stable_token':
      return { day: quotas.tokensOfDay, short: quotas.tokensOfMinute }
    default:
      return undefined
  }
}

/**
 * `POST /cgi-bin/openapi/quota/get?access_token=`: getApiQuota. Zeros stand for a limit that an API does not
 * have. That is an assumption: the documentation has them in its example, and does not explain them.
 */
export const quota: Endpoint = (state, call) => {
  if (call.method !== 'POST') return 43002
  const refused = state.tokens.refusal(call.query.get('access_token'))
  if (refused) return refused
  if (!call.body) return 44002
  const body = v.safeParse(Body, parseObject(call.body))
  if (!body.success) return 47001
  const { cgi_path: path } = body.output
  if (!path.startsWith('/')) return 76003
  if (path.includes('/sns/')) return 76022
  const found = quotasOf(state, path)
  if (!found) return 76021
  const { day, short } = found
  const [limit, used] = day ? [day.limit, day.used()] : [0, 0]
  return {
    errcode: 0,
    errmsg: 'ok',
    quota: { daily_limit: limit, used, remain: limit - used },
    rate_limit: { call_count: short?.limit ?? 0, refresh_second: short?.seconds ?? 0 },
    component_rate_limit: { call_count: 0, refresh_second: 0 },
  }
}
