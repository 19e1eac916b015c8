import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** Errors within errors that are told. */
const DEEPEST = 3

const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)
const errorsIn = (value: unknown): Error[] => [value].flat().filter((one) => one instanceof Error)

/** Of what an error carries, its words and numbers and other errors: one of Redis has its command with it, and so what somebody wrote. */
const describeError = (error: unknown, depth = 0): unknown => {
  if (!(error instanceof Error)) return isPlain(error) ? error : typeof error
  const { type, message, stack } = pino.stdSerializers.err(error)
  const told: Record<string, unknown> = { type, message, stack }
  const carried = { ...error, ...(error instanceof AggregateError ? { errors: error.errors } : {}) }
  for (const [key, value] of Object.entries(carried)) {
    const errors = errorsIn(value)
    if (isPlain(value)) told[key] = value
    else if (errors.length > 0 && depth < DEEPEST) told[key] = errors.map((one) => describeError(one, depth + 1))
  }
  return told
}

/**
 * JSON lines, on stdout unless another destination is given. Nothing that holds a header, a body or a query is ever handed to it, so no
 * secret can end up there.
 */
export const createLog = (options: { level: string; node: string }, destination?: DestinationStream): Logger =>
  pino(
    {
      level: options.level,
      base: { node: options.node },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error) },
    },
    destination,
  )

/** Says the first at once; after that, one line in `ms` with the last of those that came meanwhile and their number. */
export const rarely = <T>(ms: number, say: (last: T, times: number) => void): ((item: T) => void) => {
  let came: { last: T; times: number } | undefined
  let timer: NodeJS.Timeout | undefined
  const tell = () => {
    timer = undefined
    if (!came) return
    say(came.last, came.times)
    came = undefined
    timer = setTimeout(tell, ms).unref()
  }
  return (last) => {
    came = { last, times: (came?.times ?? 0) + 1 }
    if (!timer) tell()
  }
}
