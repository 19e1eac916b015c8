import * as v from 'valibot'
import type { State } from '../state.ts'
import { type Call, type Endpoint, parseObject } from './endpoint.ts'

const QUERY_LENGTH = 1_024
/** Only links allow `%`. */
const QUERIES = { link: /^[0-9A-Za-z!#$&'()*+,/:;=?@\-._~%]*$/, scheme: /^[0-9A-Za-z!#$&'()*+,/:;=?@\-._~`]*$/ }
const LEAST_MS = 60_000
const DAY_MS = 86_400_000
const MOST_DAYS = 30

const target = {
  path: v.optional(v.string(), ''),
  query: v.optional(v.string(), ''),
  env_version: v.optional(v.string(), 'release'),
}
const expiry = {
  is_expire: v.optional(v.boolean()),
  expire_type: v.optional(v.picklist([0, 1]), 0),
  expire_time: v.optional(v.number()),
  expire_interval: v.optional(v.number()),
}
const LinkBody = v.object({ ...target, ...expiry })
const SchemeBody = v.object({ jump_wxa: v.optional(v.object(target), {}), ...expiry })
type Body = v.InferOutput<typeof LinkBody>

/** When the link expires; undefined for a lifetime that WeChat does not offer. */
const endOf = ({ is_expire, expire_type, expire_time, expire_interval }: Body, now: number): number | undefined => {
  if (expire_type === 1) {
    const days = expire_interval ?? 0
    return days >= 1 && days <= MOST_DAYS ? now + days * DAY_MS : undefined
  }
  // WeChat no longer makes permanent links. The default is the longest lifetime.
  if (expire_time === undefined) return is_expire ? undefined : now + MOST_DAYS * DAY_MS
  const until = expire_time * 1000
  return until > now + LEAST_MS && until <= now + MOST_DAYS * DAY_MS ? until : undefined
}

const make = (state: State, kind: 'link' | 'scheme', body: Body): number | string => {
  // A leading slash is allowed here, unlike for a code.
  const page = body.path.replace(/^\//, '') || state.codes.home
  if (!state.codes.home) return 85079
  if (!state.codes.isPublished(page)) return 40165
  if (body.query.length > QUERY_LENGTH || !QUERIES[kind].test(body.query)) return 40212
  if (!['release', 'trial', 'develop'].includes(body.env_version)) return 40097
  const until = endOf(body, state.clock.now())
  if (until === undefined) return 85401
  if (!state.quotas.linksOfSecond()) return 44990
  if (!state.quotas.linksOfDay()) return 45009
  return state.links.add(kind, { page, query: body.query, env_version: body.env_version }, until)
}

/** The checks that both endpoints make first. Returns the body, or the errcode of a refusal. */
const read = <T>(state: State, call: Call, schema: v.GenericSchema<unknown, T>): T | number => {
  if (call.method !== 'POST') return 43002
  const refused = state.tokens.refusal(call.query.get('access_token'))
  if (refused) return refused
  if (!call.body) return 44002
  const body = v.safeParse(schema, parseObject(call.body))
  return body.success ? body.output : 47001
}

/** `POST /wxa/generate_urllink?access_token=`: generateUrlLink. */
export const urlLink: Endpoint = (state, call) => {
  const body = read(state, call, LinkBody)
  if (typeof body === 'number') return body
  const made = make(state, 'link', body)
  return typeof made === 'number' ? made : { errcode: 0, errmsg: 'ok', url_link: made }
}

/** `POST /wxa/generatescheme?access_token=`: generateScheme. */
export const scheme: Endpoint = (state, call) => {
  const body = read(state, call, SchemeBody)
  if (typeof body === 'number') return body
  const { jump_wxa, ...rest } = body
  const made = make(state, 'scheme', { ...jump_wxa, ...rest })
  return typeof made === 'number' ? made : { errcode: 0, errmsg: 'ok', openlink: made }
}
