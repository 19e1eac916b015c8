import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** Errors within errors that are told. */
const DEEPEST = 3

const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)
const errorsIn = (value: unknown): Error[] => [value].flat().filter((one) => one instanceof Error)

/**
 * Of what an error carries, its words and numbers and other errors: one of Redis has its command with it, and
 * so what somebody wrote.
 */
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
 * How long a line of routine may wait for others. Written one by one, those of a login would cost as much as
 * its signatures.
 */
const GATHER_MS = 50
const GATHER_BYTES = 8 * 1024
/**
 * Of lines that cannot be written, because a disk is full for instance. What comes when they are that many is
 * lost.
 */
const MOST_WAITING_BYTES = 1024 * 1024
/** pino's number of that level. */
const WARN = 40

/**
 * stdout. Lines of routine are gathered for a moment; a warning and worse is written at once, behind those
 * that came before it.
 */
const gathered = (): DestinationStream => {
  const out = pino.destination({ dest: 1, sync: true, minLength: GATHER_BYTES, maxLength: MOST_WAITING_BYTES })
  let isFailing = false
  // A node serves on without a log: the lines wait, and are tried again with the next one.
  out.on('error', () => {
    isFailing = true
  })
  out.on('write', () => {
    isFailing = false
  })
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    out.flush()
  }
  process.once('exit', () => {
    flush()
    // What is still left. It tries until it can, so not where nothing can be written.
    if (!isFailing) out.flushSync()
  })
  return {
    // With this pino tells the level of each line in `lastLevel` before it writes it.
    [pino.symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write(line: string) {
      out.write(line)
      if (this.lastLevel >= WARN) flush()
      else timer ??= setTimeout(flush, GATHER_MS).unref()
    },
  } as DestinationStream & { lastLevel: number }
}

/**
 * JSON lines, on stdout unless another destination is given. Nothing that holds a header, a body or a query
 * is ever handed to it, so no secret can end up there.
 */
export const createLog = (
  options: { level: string; node: string },
  destination: DestinationStream = gathered(),
): Logger =>
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

/**
 * Says the first at once; after that, one line in `ms` with the last of those that came meanwhile and their
 * number.
 */
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
