type Stop = () => unknown

const stops = new Set<Stop>()

/** Timeout of the cleanup after a test file, in milliseconds. */
const CLEANUP_TIMEOUT_MS = 60_000

/**
 * Registers what must be stopped at the end. Everything that this package starts registers itself. A test
 * adds what it opens itself, such as a Redis client or a server. Last in, first out: a client closes before
 * its server.
 *
 * @returns a function that removes the registration, for what was stopped by hand
 */
export const onCleanup = (stop: Stop): (() => void) => {
  stops.add(stop)
  return () => void stops.delete(stop)
}

/** Stops everything that is registered. Continues after a failure, then rejects with all failures. */
export const cleanUp = async (): Promise<void> => {
  const failures: unknown[] = []
  for (let stop = [...stops].at(-1); stop; stop = [...stops].at(-1)) {
    stops.delete(stop)
    try {
      await stop()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join('\n'))
}

// In a Jest file the import registers this hook first, and Jest runs hooks in that order. So the servers are
// already gone in a test's own afterAll; use onCleanup instead. Outside Jest the caller runs cleanUp.
if (typeof afterAll === 'function') afterAll(cleanUp, CLEANUP_TIMEOUT_MS)
