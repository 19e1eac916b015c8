import type { Result } from '@saoma/protocol'
import type { Metrics } from '../operate/metrics.ts'

/**
 * Counts what becomes of a publication, and the time from the question to the answer. The door parses within
 * it, because what is not well formed counts as well.
 */
export const countPublication = async <T>(
  { published }: Pick<Metrics, 'published'>,
  publish: () => Promise<Result<T>>,
): Promise<Result<T>> => {
  const begunAt = performance.now()
  // What it stays without an answer, which is mostly Redis being away.
  let result = 'failed'
  try {
    const answer = await publish()
    result = answer.ok ? 'ok' : answer.code
    return answer
  } finally {
    published.observe({ result }, (performance.now() - begunAt) / 1_000)
  }
}
