import type { Context } from 'koa'
import * as v from 'valibot'
import { problem } from './problem.ts'

const LARGEST_BODY = 16 * 1024

/** The body as it was sent, byte for byte, or undefined after having answered that it is too large. */
export const readBody = async (ctx: Context): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of ctx.req) {
    size += chunk.length
    if (size > LARGEST_BODY) {
      ctx.set('Connection', 'close')
      problem(ctx, 'TOO_LARGE')
      return undefined
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** What the body says, or undefined after having answered that it is not of that form. */
export const parseBody = <T>(ctx: Context, body: Buffer, schema: v.GenericSchema<unknown, T>): T | undefined => {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), body.toString())
  if (parsed.success) return parsed.output
  problem(ctx, 'INVALID')
  return undefined
}

export const readJson = async <T>(ctx: Context, schema: v.GenericSchema<unknown, T>): Promise<T | undefined> => {
  const body = await readBody(ctx)
  return body && parseBody(ctx, body, schema)
}
