import { readBytes } from '@saoma/protocol'
import type { Context } from 'koa'
import * as v from 'valibot'
import { problem } from './problem.ts'

const LARGEST_BODY = 16 * 1024

/** The body, byte for byte. If it is too large, this answers and returns undefined. */
export const readBody = async (ctx: Context): Promise<Buffer | undefined> => {
  try {
    return Buffer.from(await readBytes(ctx.req.iterator({ destroyOnReturn: false }), LARGEST_BODY))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    ctx.set('Connection', 'close')
    problem(ctx, 'TOO_LARGE')
    return undefined
  }
}

/** The parsed body. If it does not match the schema, this answers and returns undefined. */
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
