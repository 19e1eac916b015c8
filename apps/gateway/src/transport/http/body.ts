import { type Code, readBytes, readExact } from '@saoma/protocol'
import type { Context } from './context.ts'
import { problem } from './problem.ts'

/** Limit of most routes. The OAuth routes have a smaller limit of their own. */
export const LARGEST_BODY = 64 * 1024
/** Least limit of a publish call, which may contain many messages. */
const LARGEST_PUBLISH = 1024 * 1024
const PUBLISHES = new Set(['/v1/publish', '/v1/mesh/publish'])
/** Room for the envelope around the data of a message. */
export const ENVELOPE = 4 * 1024

/**
 * Limit of the body of a request to this address, in bytes. nginx/render.sh computes the same.
 *
 * @param messageBytes  limit of one message
 */
export const largestBody = (path: string, messageBytes: number): number =>
  PUBLISHES.has(path) ? Math.max(LARGEST_PUBLISH, messageBytes + ENVELOPE) : LARGEST_BODY

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The parsed body, or the error in it. */
type Body = { json: unknown } | { code: Code; detail: string }

/**
 * Reads a request's body as JSON, whatever its Content-Type.
 *
 * @param absent  the value of an empty body. @default an empty body is INVALID
 */
export const readBody = async (ctx: Context, absent?: unknown): Promise<Body> => {
  if (ctx.get('Content-Encoding')) return { code: 'INVALID', detail: 'compressed bodies are not read' }
  const most: number = ctx.state.largestBody
  let bytes: Uint8Array
  try {
    // Left in the middle, a request would take its connection with it, and the answer.
    bytes = await readBytes(ctx.req.iterator({ destroyOnReturn: false }), most)
  } catch (error) {
    if (!(error instanceof RangeError)) return { code: 'INVALID', detail: 'the body broke off' }
    ctx.set('Connection', 'close')
    return { code: 'TOO_LARGE', detail: error.message }
  }
  // A body may take a minute. An API key that has ended or changed meanwhile does nothing with it.
  const { caller, callerNow } = ctx.state
  const now = await callerNow?.()
  if (now && !now.ok) return { code: now.code, detail: now.detail ?? '' }
  if (now && caller?.ok && now.value !== caller.value)
    return { code: 'REVOKED', detail: 'the API key was changed while the body came' }
  if (bytes.length === 0 && absent !== undefined) return { json: absent }
  try {
    return { json: readExact(utf8.decode(bytes)) }
  } catch (error) {
    if (error instanceof RangeError) return { code: 'INVALID', detail: error.message }
    return { code: 'INVALID', detail: 'the body is not JSON in UTF-8' }
  }
}

/** Like `readBody`, but answers errors itself and then returns undefined. */
export const readJson = async (ctx: Context, absent?: unknown): Promise<{ json: unknown } | undefined> => {
  const body = await readBody(ctx, absent)
  if ('json' in body) return body
  problem(ctx, body.code, body.detail)
  return undefined
}

/**
 * Reads a request's body as a form. Answers errors itself and then returns undefined.
 *
 * @param most  bytes
 */
export const readForm = async (ctx: Context, most: number): Promise<URLSearchParams | undefined> => {
  if (!ctx.is('application/x-www-form-urlencoded')) {
    problem(ctx, 'INVALID', 'the body must be a form (application/x-www-form-urlencoded)')
    return undefined
  }
  try {
    // See readBody.
    return new URLSearchParams(utf8.decode(await readBytes(ctx.req.iterator({ destroyOnReturn: false }), most)))
  } catch (error) {
    ctx.set('Connection', 'close')
    problem(ctx, error instanceof RangeError ? 'TOO_LARGE' : 'INVALID')
    return undefined
  }
}
