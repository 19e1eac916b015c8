import type { Fault } from './scene.ts'

/** Longer than worker_shutdown_timeout, which closes the last sockets of the old configuration. */
const GONE_MS = 60_000

/**
 * nginx reloads its configuration, and the nodes send the sockets of the old workers to the new ones. The
 * fault ends when an old worker has exited.
 */
export const reload: Fault = async ({ nginx }) => {
  const gone = nginx.nextLine(({ text }) => /worker process \d+ exited with code/.test(text), GONE_MS)
  await nginx.kill('SIGHUP')
  await gone
  return 'nginx'
}
