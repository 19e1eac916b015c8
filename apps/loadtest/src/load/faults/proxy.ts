import type { Fault } from './scene.ts'

/** Longer than nginx waits for the sockets of a former configuration. */
const GONE_MS = 60_000

/**
 * nginx reads its configuration anew, and the nodes send its sockets to the new workers. It is over when a
 * former one has gone.
 */
export const reload: Fault = async ({ nginx }) => {
  const gone = nginx.nextLine(({ text }) => /worker process \d+ exited with code/.test(text), GONE_MS)
  await nginx.kill('SIGHUP')
  await gone
  return 'nginx'
}
