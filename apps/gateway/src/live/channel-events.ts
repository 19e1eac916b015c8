import type { ChannelsEvent } from '@saoma/channels'
import { type Logger, rarely } from '../operate/log.ts'
import type { Metrics } from '../operate/metrics.ts'

/** What may happen in thousands of channels at once gets one line of the log in this time. */
const QUIET_MS = 10_000

/**
 * Counts what the channels tell of, and says it in the log. A channel's name says who talks with whom: it is
 * told at debug only.
 */
export const tellChannelEvents = ({ metrics, log }: { metrics: Metrics; log: Logger }) => {
  const failed = rarely(QUIET_MS, (error: unknown, times) =>
    log.error({ err: error, times }, 'channels: something failed and is tried again'),
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
      // While slots move this comes again and again; the line `resync` sums it up.
      log.debug({ event: 'channels', ...event })
    } else {
      log.info({ event: 'channels', ...event })
    }
    if (event.kind === 'refilled') metrics.refilled.inc(event.messages)
    if (event.kind === 'lost') metrics.lost.inc()
    if (event.kind === 'swept') metrics.swept.inc()
  }
}
