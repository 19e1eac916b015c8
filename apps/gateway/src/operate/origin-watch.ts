import type { Logger } from './log.ts'

/** When the others of a cluster and what is in front of them have had the time to come up. */
const LOOKS_MS = [10_000, 30_000, 60_000]
const TIMEOUT_MS = 5_000

/** Why the address does not lead to this cluster; undefined when it does. */
const lookAt = async (origin: string, signal: AbortSignal): Promise<string | undefined> => {
  try {
    const answer = await fetch(`${origin}/oidc/.well-known/openid-configuration`, { signal })
    const { issuer } = (await answer.json()) as { issuer?: unknown }
    return issuer === `${origin}/oidc` ? undefined : `something else answers there (status ${answer.status})`
  } catch (error) {
    // The one that fetch throws only says that it failed.
    const { message, cause } = error as Error & { cause?: Partial<Error> }
    return cause?.message ?? message
  }
}

/**
 * Looks whether the origin that goes into codes and tokens leads to this cluster, and tells when it does not
 * by the last look. It cannot be asked before the node listens, since what is in front waits for that; nor be
 * a reason to end, since not every network lets a machine reach itself from the outside.
 *
 * @param looksMs  milliseconds before each look
 */
export const watchOrigin = (
  origin: string,
  onLost: (why: string) => void,
  looksMs: readonly number[] = LOOKS_MS,
): { close(): void } => {
  const closing = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const next = (look: number) => {
    timer = setTimeout(async () => {
      const why = await lookAt(origin, AbortSignal.any([closing.signal, AbortSignal.timeout(TIMEOUT_MS)]))
      if (why === undefined || closing.signal.aborted) return
      if (look + 1 < looksMs.length) next(look + 1)
      else onLost(why)
    }, looksMs[look]).unref()
  }
  next(0)
  return {
    close: () => {
      clearTimeout(timer)
      closing.abort()
    },
  }
}

/**
 * The same for a node. No proxy's address leads to a cluster that is for one machine alone, out of a
 * container for instance.
 */
export const openOriginWatch = (origin: string, isLocal: boolean, log: Pick<Logger, 'warn'>): { close(): void } =>
  isLocal
    ? { close: () => {} }
    : watchOrigin(origin, (why) =>
        log.warn({ event: 'origin', origin, why }, 'SAOMA_ORIGIN does not lead here, seen from this node'),
      )
