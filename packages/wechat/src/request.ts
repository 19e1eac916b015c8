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
}
export type Api = keyof typeof paths

export interface Request {
  api: Api
  /** May hold secrets: WeChat wants them in the query. It is never shown. */
  query?: Record<string, string>
  /** Sent with POST; without it the method is GET. */
  json?: object
  /** Ends the try. */
  signal: AbortSignal
}

/** What became of one try: an answer, or one of four kinds of failure. */
export type Outcome<T> =
  | { kind: 'answer'; value: T }
  /** No answer in time. `sent` is false when WeChat surely never got the request. */
  | { kind: 'unreachable'; sent: boolean; reason: string }
  /** WeChat said no, whatever the status and type of that answer. `rid` is what its support asks for. */
  | { kind: 'refused'; errcode: number; rid?: string }
  /** An HTTP status that WeChat does not use: something in between answered. */
  | { kind: 'status'; status: number }
  /** An answer that is not what the documentation says. */
  | { kind: 'body' }

/**
 * What is told of each try on the diagnostics channel `saoma:wechat`: for traces, and nothing at all while
 * nobody listens.
 */
export interface WechatCall {
  api: Api
  host: string
  /** How it ended. The value of an answer may be secret. */
  result?: Outcome<unknown>
}

const calls = tracingChannel<WechatCall>('saoma:wechat')

/** Many times the largest code image. */
const LARGEST_BODY = 4 * 1024 * 1024
const JSON_BRACE = 0x7b

/** Failures of name, route, port or certificate: they come before the first byte of the request. */
const neverSent =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_.*|ERR_TLS_.*)$/

/** `errcode` is missing from most successes and 0 in others. */
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

/** A reader for `send` that takes a JSON answer of the schema's form. */
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
 * One try. Never rejects.
 * @param read  the value of a body, or undefined if it is not what was expected. It gets the JSON if the body
 *   is any.
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
      // Whoever redirects us would be handed the secret in the query.
      redirect: 'manual',
      ...(json ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) } : {}),
    })
    bytes = Buffer.from(await readBytes(response, LARGEST_BODY))
  } catch (error) {
    return unreachable(error)
  }

  // The type in the header is no guide: errors of the image endpoint and images have been seen under each
  // other's.
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
