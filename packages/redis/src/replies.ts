/** Redis cannot be asked right now. Whoever sees it answers `REDIS_UNAVAILABLE`. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

/** States of a server that will pass: loading, failing over, out of memory, not enough replicas, no room for another client. */
const passing =
  /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|OOM|NOREPLICAS|BUSY|MISCONF|UNBLOCKED|ERR max number of clients)/

export const isPassing = (message: string): boolean => passing.test(message)

/** Passes a reply on; turns "cannot be asked" into RedisUnavailable and lets a reply that is our own mistake through as it is. */
export const reply = async <T>(pending: Promise<T>): Promise<T> => {
  try {
    return await pending
  } catch (error) {
    const ours = error instanceof Error && error.name === 'ReplyError' && !isPassing(error.message)
    if (ours) throw error
    throw new RedisUnavailable('Redis cannot be reached', { cause: error })
  }
}
