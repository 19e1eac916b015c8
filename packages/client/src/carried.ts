import { type Failure, failureFor } from './request.ts'

/** Why data would arrive as something else: JSON has no NaN, no Infinity and no BigInt. Undefined when it can be carried. */
export const notCarried = (data: unknown): Failure | undefined => {
  const wrong: string[] = []
  const look = (key: string, value: unknown): unknown => {
    const isWrong = typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))
    if (isWrong) wrong.push(`${key || 'data'} is ${String(value)}`)
    return isWrong ? null : value
  }
  try {
    JSON.stringify(data, look)
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : String(error))
  }
  if (wrong.length === 0) return undefined
  return { ...failureFor('INVALID'), message: `This cannot be written as JSON: ${wrong[0]}.` }
}
