/** Redis cannot be asked right now. Whoever sees it answers `REDIS_UNAVAILABLE`. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

/**
 * States of a server that will pass: loading, failing over (and WAIT is then a mistake), out of memory, not
 * enough replicas, no room for another client. What a script's command was refused for is worded as if it had
 * been asked for by itself, with the script's name behind it.
 */
const passing =
  /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|OOM|NOREPLICAS|BUSY|MISCONF|UNBLOCKED|ERR max number of clients|ERR WAIT cannot be used with replica|ERR Script killed by user)/

export const isPassing = (message: string): boolean => passing.test(message)

/**
 * Whether the user lacks a right. Within a script Redis says so in a sentence. A node does not start without
 * its rights; when one is taken away while it runs, only an operator can give it back, but callers are in the
 * same place as with a Redis that is full.
 */
export const isForbidden = (message: string): boolean => /^NOPERM|The user executing the script/.test(message)

/** The word for what Redis replied. Within a script it says a missing right in a sentence. */
export const wordOf = ({ message }: Error): string =>
  isForbidden(message) ? 'NOPERM' : (/^[A-Z]+/.exec(message)?.[0] ?? 'ERR')

/**
 * Redis discards a whole MULTI because of one command, and says why in an error before it, or behind a colon.
 */
interface Aborted extends Error {
  previousErrors?: readonly Error[]
}

const holds = ({ message, previousErrors = [] }: Aborted, is: (message: string) => boolean): boolean =>
  is(message.replace(/^EXECABORT [^:]*: /, '')) ||
  (previousErrors.length > 0 && previousErrors.every((error) => holds(error, is)))

const passOn = async <T>(pending: Promise<T>, isUnavailable: (message: string) => boolean): Promise<T> => {
  try {
    return await pending
  } catch (error) {
    const ours = error instanceof Error && error.name === 'ReplyError' && !holds(error, isUnavailable)
    if (ours) throw error
    throw new RedisUnavailable('Redis cannot be reached', { cause: error })
  }
}

/**
 * Passes a reply on; turns "cannot be asked" into RedisUnavailable and lets a reply that is our own mistake
 * through as it is.
 */
export const orUnavailable = <T>(pending: Promise<T>): Promise<T> =>
  passOn(pending, (message) => isPassing(message) || isForbidden(message))

/** The same for whoever wants to know what this user may do: a right that is missing is an answer. */
export const verdict = <T>(pending: Promise<T>): Promise<T> => passOn(pending, isPassing)
