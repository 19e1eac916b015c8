import type { Away, Cause, Subscriber } from '@saoma/redis'
import { type Logger, rarely } from './log.ts'
import type { Metrics } from './metrics.ts'

/** While slots move, subscriptions are lost and restored all the time. */
const QUIET_MS = 10_000

/** Counts the subscriptions that were lost and restored, and logs them from time to time. */
export const tellResubscribed = (
  subscriber: Pick<Subscriber, 'on'>,
  { metrics, log }: { metrics: Metrics; log: Logger },
): void => {
  let channels: Partial<Record<Cause, number>> = {}
  const say = rarely(QUIET_MS, () => {
    log.info({ event: 'resync', channels })
    channels = {}
  })
  subscriber.on('resubscribed', (away: Away) => {
    metrics.resyncs.inc()
    for (const reason of away.values()) {
      metrics.subscriptionsMoved.inc({ reason })
      channels[reason] = (channels[reason] ?? 0) + 1
    }
    say(undefined)
  })
}
