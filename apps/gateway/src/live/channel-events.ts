import type { ChannelsEvent } from '@saoma/channels'
import { type Logger, rarely } from '../operate/log.ts'
import type { Metrics } from '../operate/metrics.ts'

/** Events that may occur in thousands of channels at once get one log line in this time. */
const QUIET_MS = 10_000

/**
 * Counts and logs the events of the channels. The name of a channel is logged at debug only, because it says
 * who talks with whom.
 */
export const tellChannelEvents = ({ metrics, log }: { metrics: Metrics; log: Logger }) => {
  const failed = rarely(QUIET_MS, (error: unknown, times) =>
    log.error({ err: error, times }, 'channels: an operation failed and is retried'),
  )
  const mended = {
    refilled: rarely(QUIET_MS, (_, times) => log.info({ event: 'channels', kind: 'refilled', times })),
    lost: rarely(QUIET_MS, (_, times) => log.info({ event: 'channels', kind: 'lost', times })),
  }
  return (event: ChannelsEvent): void => {
    if (event.kind === 'error') return failed(event.error)
    if (event.kind === 'refilled' || event.kind === 'lost') {
      mended[event.kind](event)
      log.debug({ event: 'channels', ...event })
    } else if (event.kind === 'resynced') {
      // While slots move, this happens repeatedly. The log line `resync` sums it up.
      log.debug({ event: 'channels', ...event })
    } else {
      log.info({ event: 'channels', ...event })
    }
    if (event.kind === 'refilled') metrics.refilled.inc(event.messages)
    if (event.kind === 'lost') metrics.lost.inc()
    if (event.kind === 'swept') metrics.swept.inc()
  }
}
