type Stop = () => unknown

const stops = new Set<Stop>()

/** How long the end of a test file may take, in milliseconds. */
const CLEANUP_TIMEOUT_MS = 60_000

/**
 * Registers what must be stopped at the end. Everything that this package starts registers itself; a test
 * adds what it opens on top of that (a Redis client, a server). Last in, first out, so a client closes before
 * the server it talks to.
 *
 * @returns forgets the registration, for what was stopped by hand
 */
export const onCleanup = (stop: Stop): (() => void) => {
  stops.add(stop)
  return () => void stops.delete(stop)
}

/** Stops everything that is registered. Goes on after a failure, then rejects with all of them. */
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

// In a Jest file this hook is defined by the import, hence before all others, and Jest runs them in that
// order: a test that closes something in its own afterAll finds its servers gone. That is what onCleanup is
// for. Outside Jest the caller runs cleanUp.
if (typeof afterAll === 'function') afterAll(cleanUp, CLEANUP_TIMEOUT_MS)
