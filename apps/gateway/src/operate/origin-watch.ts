import type { Logger } from './log.ts'
import { askOrigin } from './origin-answer.ts'

/** Delays before the checks, so that the rest of the cluster and its proxy have time to start. */
const LOOKS_MS = [10_000, 30_000, 60_000]
const TIMEOUT_MS = 5_000

/** The reason why the address does not lead to this cluster; undefined if it does. */
const lookAt = async (origin: string, signal: AbortSignal): Promise<string | undefined> => {
  const answer = await askOrigin(origin, signal)
  if (answer.kind === 'this') return undefined
  if (answer.kind === 'silent') return answer.why
  return answer.kind === 'redirect'
    ? `it redirects to ${answer.to}`
    : `something else answers there (status ${answer.status})`
}

/**
 * Checks whether the origin in codes and tokens leads to this cluster. Calls `onLost` if the last check
 * fails. The check runs after the node listens, because the proxy waits for that. A failure does not end the
 * node, because some networks do not let a machine reach its own public address.
 *
 * @param looksMs  milliseconds before each check
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
 * Watches the origin of a node. It skips a local origin: from inside a container, for instance, such an
 * address never leads to the cluster.
 */
export const openOriginWatch = (origin: string, isLocal: boolean, log: Pick<Logger, 'warn'>): { close(): void } =>
  isLocal
    ? { close: () => {} }
    : watchOrigin(origin, (why) =>
        log.warn({ event: 'origin', origin, why }, 'SAOMA_ORIGIN does not lead here, seen from this node'),
      )
