/** Redis cannot be asked right now. Whoever sees it answers `REDIS_UNAVAILABLE`. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

/**
 * States of a server that will pass: loading, failing over, out of memory, not enough replicas, no room for another client. What a
 * script's command was refused for is worded as if it had been asked for by itself, with the script's name behind it.
 */
const passing =
  /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|OOM|NOREPLICAS|BUSY|MISCONF|UNBLOCKED|ERR max number of clients|ERR Script killed by user)/

export const isPassing = (message: string): boolean => passing.test(message)

/** Redis discards a whole MULTI because of one command, and says why in an error before it, or behind a colon. */
interface Aborted extends Error {
  previousErrors?: readonly Error[]
}

const willPass = ({ message, previousErrors = [] }: Aborted): boolean =>
  isPassing(message.replace(/^EXECABORT [^:]*: /, '')) || (previousErrors.length > 0 && previousErrors.every(willPass))

/** Passes a reply on; turns "cannot be asked" into RedisUnavailable and lets a reply that is our own mistake through as it is. */
export const reply = async <T>(pending: Promise<T>): Promise<T> => {
  try {
    return await pending
  } catch (error) {
    const ours = error instanceof Error && error.name === 'ReplyError' && !willPass(error)
    if (ours) throw error
    throw new RedisUnavailable('Redis cannot be reached', { cause: error })
  }
}
