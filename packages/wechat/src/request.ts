import { tracingChannel } from 'node:diagnostics_channel'
import { readBytes, reasonOf } from '@saoma/protocol'
import * as v from 'valibot'

/** The endpoints in use. */
export const paths = {
  token: '/cgi-bin/stable_token',
  code: '/wxa/getwxacodeunlimit',
  link: '/wxa/generate_urllink',
  scheme: '/wxa/generatescheme',
  session: '/sns/jscode2session',
  phone: '/wxa/business/getuserphonenumber',
  notify: '/cgi-bin/message/subscribe/send',
  quota: '/cgi-bin/openapi/quota/get',
}
export type Api = keyof typeof paths

export interface Request {
  api: Api
  /** May contain secrets, because WeChat wants them in the query. Never log it. */
  query?: Record<string, string>
  /** Sent with POST. Without it the method is GET. */
  json?: object
  /** Aborts the try. */
  signal: AbortSignal
}

/** The outcome of one try: an answer, or one of four kinds of failure. */
export type Outcome<T> =
  | { kind: 'answer'; value: T }
  /** No answer in time. `sent` is false when WeChat certainly did not get the request. */
  | { kind: 'unreachable'; sent: boolean; reason: string }
  /** WeChat refused, whatever the status and type of its answer. WeChat's support asks for `rid`. */
  | { kind: 'refused'; errcode: number; rid?: string }
  /** An HTTP status that WeChat does not use: a proxy answered. */
  | { kind: 'status'; status: number }
  /** The answer does not match the documentation. */
  | { kind: 'body' }

/**
 * What the diagnostics channel `saoma:wechat` reports of each try, for traces. It costs nothing without a
 * subscriber.
 */
export interface WechatCall {
  api: Api
  host: string
  /** The outcome. The value of an answer may be secret. */
  result?: Outcome<unknown>
}

const calls = tracingChannel<WechatCall>('saoma:wechat')

/** Far more than the largest code picture. */
const LARGEST_BODY = 4 * 1024 * 1024
const JSON_BRACE = 0x7b

/** Errors of name, route, port or certificate. They occur before the first byte of the request. */
const neverSent =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_.*|ERR_TLS_.*)$/

/** Most successes have no `errcode`; others have 0. */
const Refusal = v.object({
  errcode: v.pipe(v.number(), v.integer(), v.notValue(0)),
  errmsg: v.optional(v.string(), ''),
})

const parseJson = (bytes: Buffer): unknown => {
  if (bytes[0] !== JSON_BRACE) return undefined
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

/** A reader for `send` that accepts JSON of this schema. */
export const jsonOf =
  <T>(schema: v.GenericSchema<unknown, T>) =>
  (_: Buffer, json: unknown): T | undefined => {
    const result = v.safeParse(schema, json)
    return result.success ? result.output : undefined
  }

const unreachable = (error: unknown): Outcome<never> => {
  const reason = reasonOf(error)
  return { kind: 'unreachable', sent: !neverSent.test(reason), reason }
}

/**
 * Makes one try. Never rejects.
 * @param read  returns the value of a body, or undefined for an unexpected one. It gets the parsed JSON if
 *   the body is JSON
 */
export const send = <T>(
  base: string,
  request: Request,
  read: (bytes: Buffer, json: unknown) => T | undefined,
): Promise<Outcome<T>> => {
  const ask = () => tryOnce(base, request, read)
  return calls.hasSubscribers ? calls.tracePromise(ask, { api: request.api, host: new URL(base).host }) : ask()
}

const tryOnce = async <T>(
  base: string,
  { api, query, json, signal }: Request,
  read: (bytes: Buffer, json: unknown) => T | undefined,
): Promise<Outcome<T>> => {
  let response: Response
  let bytes: Buffer
  try {
    response = await fetch(`${base}${paths[api]}?${new URLSearchParams(query)}`, {
      signal,
      // A redirect would hand the secret in the query to another host.
      redirect: 'manual',
      ...(json ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) } : {}),
    })
    bytes = Buffer.from(await readBytes(response.body ?? [], LARGEST_BODY))
  } catch (error) {
    return unreachable(error)
  }

  // The Content-Type is unreliable: the image endpoint sends errors and images under each other's type.
  const parsed = parseJson(bytes)
  const refusal = v.safeParse(Refusal, parsed)
  if (refusal.success) {
    const [, rid] = /rid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})/.exec(refusal.output.errmsg) ?? []
    return { kind: 'refused', errcode: refusal.output.errcode, ...(rid ? { rid } : {}) }
  }
  if (response.status !== 200) return { kind: 'status', status: response.status }
  const value = read(bytes, parsed)
  return value === undefined ? { kind: 'body' } : { kind: 'answer', value }
}
