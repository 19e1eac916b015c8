import type { Result } from '@saoma/protocol'
import type { Metrics } from '../operate/metrics.ts'

/**
 * Counts the results of publications, and the time until each answer. The door parses inside of `publish`, so
 * that malformed requests count too.
 */
export const countPublication = async <T>(
  { published }: Pick<Metrics, 'published'>,
  publish: () => Promise<Result<T>>,
): Promise<Result<T>> => {
  const begunAt = performance.now()
  // The result if `publish` throws, mostly because Redis is unavailable.
  let result = 'failed'
  try {
    const answer = await publish()
    result = answer.ok ? 'ok' : answer.code
    return answer
  } finally {
    published.observe({ result }, (performance.now() - begunAt) / 1_000)
  }
}
