import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** Depth to which nested errors are logged. */
const DEEPEST = 3

const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)
const errorsIn = (value: unknown): Error[] => [value].flat().filter((one) => one instanceof Error)

/**
 * Logs only the primitive properties and nested errors of an error. An error of Redis also carries its
 * command, and so data of a client.
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
 * How long a routine line may be buffered. Writing each line by itself
 * would cost as much as the signatures of a login.
 */
const GATHER_MS = 50
const GATHER_BYTES = 8 * 1024
/**
 * Most bytes of lines that cannot be written, for instance because the disk is full. Further lines are lost.
 */
const MOST_WAITING_BYTES = 1024 * 1024
/** pino's number of the level `warn`. */
const WARN = 40

/**
 * Writes to stdout. Routine lines are buffered for a moment. A warning or worse is written at once, after the
 * lines before it.
 */
const gathered = (): DestinationStream => {
  const out = pino.destination({ dest: 1, sync: true, minLength: GATHER_BYTES, maxLength: MOST_WAITING_BYTES })
  let isFailing = false
  // A node continues without a log. The lines are buffered and retried with the next line.
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
    // Write the rest. flushSync() retries until it succeeds, so do not call it while writes fail.
    if (!isFailing) out.flushSync()
  })
  return {
    // With this symbol pino sets `lastLevel` before it writes each line.
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
 * Logs JSON lines, to stdout unless another destination is given. Callers never pass it a header, a body or a
 * query, so no secret can get into the log.
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
 * Throttles a log line. The first item is reported at once. After that at most one line per `ms` reports the
 * last item and the number of items.
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
