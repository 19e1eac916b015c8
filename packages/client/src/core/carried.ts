import { type Failure, failureFor } from './request.ts'

/**
 * Checks whether JSON preserves the data. It has no NaN, no Infinity and no BigInt, and turns bytes, Maps and
 * Sets into objects, which arrive as `{"0":104,…}` or empty. Returns undefined when it does, else the
 * failure.
 */
export const notCarried = (data: unknown): Failure | undefined => {
  const wrong: string[] = []
  function look(this: unknown, key: string, value: unknown): unknown {
    // When the replacer sees `value`, a Buffer of Node is already converted. Look at the original.
    const given = (this as Record<string, unknown>)[key]
    const why = problemOf(ArrayBuffer.isView(given) ? given : value)
    if (why) wrong.push(`${key || 'data'} is ${why}`)
    return why ? null : value
  }
  try {
    JSON.stringify(data, look)
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : String(error))
  }
  if (wrong.length === 0) return undefined
  return { ...failureFor('INVALID'), message: `This cannot be written as JSON: ${wrong[0]}.` }
}

const problemOf = (value: unknown): string | undefined => {
  if (typeof value === 'bigint') return `${value}`
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${value}`
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 'bytes; send them as base64'
  if (typeof Blob !== 'undefined' && value instanceof Blob) return 'a Blob; send its bytes as base64'
  if (value instanceof Map) return 'a Map; send Object.fromEntries of it'
  if (value instanceof Set) return 'a Set; send an array of it'
  return undefined
}
