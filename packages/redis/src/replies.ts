/** Redis is unavailable at the moment. The caller answers `REDIS_UNAVAILABLE`. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

/**
 * Temporary states of a server: loading, failing over (where WAIT becomes an error), out of memory, too few
 * replicas, no room for another client, a slot that is moving (where a script finds some of its keys only).
 * If a command inside a script is refused, the message is the same, followed by the script's name.
 */
const passing =
  /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|OOM|NOREPLICAS|BUSY|MISCONF|UNBLOCKED|ERR max number of clients|ERR WAIT cannot be used with replica|ERR Script killed by user|ERR Script attempted to access a non local key)/

export const isPassing = (message: string): boolean => passing.test(message)

/**
 * Whether the user lacks a right. Inside a script Redis says so in a sentence. A node does not start without
 * its rights. If a right is removed later, only an operator can restore it; for callers this is the same as a
 * full Redis.
 */
export const isForbidden = (message: string): boolean => /^NOPERM|The user executing the script/.test(message)

/** The error word of a reply. Inside a script Redis reports a missing right in a sentence instead. */
export const wordOf = ({ message }: Error): string =>
  isForbidden(message) ? 'NOPERM' : (/^[A-Z]+/.exec(message)?.[0] ?? 'ERR')

/**
 * Redis discards a whole MULTI because of one command. The reason is in an earlier error, or behind a colon.
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
 * Passes a reply on. Turns temporary errors into RedisUnavailable; errors that are our own mistake stay as
 * they are.
 */
export const orUnavailable = <T>(pending: Promise<T>): Promise<T> =>
  passOn(pending, (message) => isPassing(message) || isForbidden(message))

/** The same for checks of the user's rights: here a missing right is an answer. */
export const verdict = <T>(pending: Promise<T>): Promise<T> => passOn(pending, isPassing)
