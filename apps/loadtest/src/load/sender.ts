import { createPublisher } from '@saoma/client/server'
import type { Sent } from './listener.ts'
import type { Timing } from './metric-names.ts'
import type { ScenarioDeps } from './scenario.ts'

/**
 * A backend that publishes numbered messages with the SDK. The SDK repeats refused messages under the same
 * idempotency key. The ledger records acknowledged messages.
 *
 * @param timing  the metric for its times
 * @returns a function that publishes one message that was due at the given time
 */
export const createSender = (
  { plan, share, clock, recorder, network, ledger }: ScenarioDeps,
  timing: Timing,
): ((channel: string, dueAt: number) => Promise<void>) => {
  const publisher = createPublisher<{ load: Sent }>({
    origin: plan.url,
    apiKey: plan.apiKey,
    fetch: network.fetch,
    withinMs: plan.patienceMs,
  })
  let sent = 0
  return async (channel, dueAt) => {
    const id = `${plan.run}-${share.index}-${timing}-${sent++}`
    const data: Sent = { id, to: channel, dueAt }
    const answer = await publisher.publish({ channel, event: 'load', data, idempotencyKey: id })
    if (!answer.ok) return recorder.error(`${timing}: ${answer.code}`)
    const now = clock.now()
    recorder.time(timing, now - dueAt)
    recorder.count('published')
    const { epoch, offset } = answer.value
    if (epoch === undefined || offset === undefined)
      return recorder.error(`${timing}: acknowledged without saying where it lies`)
    ledger.acknowledged(channel, { epoch, offset }, id, now)
  }
}
