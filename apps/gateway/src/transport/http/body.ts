import { type Code, readExact } from '@saoma/protocol'
import type { Context } from './context.ts'
import { problem } from './problem.ts'

/** Limit of most routes. The OAuth routes have a smaller limit of their own. */
const LARGEST_BODY = 64 * 1024
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
  const chunks: Buffer[] = []
  let size = 0
  try {
    // Leaving the loop early would destroy the connection, and with it the answer.
    for await (const chunk of ctx.req.iterator({ destroyOnReturn: false })) {
      size += chunk.length
      if (size > most) {
        ctx.set('Connection', 'close')
        return { code: 'TOO_LARGE', detail: `more than ${most} bytes` }
      }
      chunks.push(chunk)
    }
  } catch {
    return { code: 'INVALID', detail: 'the body broke off' }
  }
  if (size === 0 && absent !== undefined) return { json: absent }
  try {
    return { json: readExact(utf8.decode(Buffer.concat(chunks))) }
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
