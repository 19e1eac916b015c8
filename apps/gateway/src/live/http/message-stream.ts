import { once } from 'node:events'
import { RedisUnavailable } from '@saoma/redis'
import type { Principal } from '../../access/principal.ts'
import type { RevocationWatch } from '../../access/revocation-watch.ts'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { Context } from '../../transport/http/context.ts'
import { type EventStream, eventOf, openEventStream } from '../../transport/http/event-stream.ts'
import type { HeldRequests } from '../../transport/http/held-requests.ts'
import { problem } from '../../transport/http/problem.ts'
import type { Live } from '../live.ts'
import { signalJson } from '../signal.ts'
import type { ChannelQuery } from './channel-query.ts'
import { beginLifetime } from './lifetime.ts'
import { createMultiChannelReaders } from './multi-channel-readers.ts'

export interface MessageStreamDeps {
  live: Live
  revocations: RevocationWatch
  holds: HeldRequests
  metrics: Metrics
  log: Logger
}

export interface MessageStreamOptions {
  /** Bytes that may be buffered for a reader before it is cut off. */
  maxBufferBytes: number
}

/**
 * Server-Sent Events of channels. Each channel begins with its page and continues live; further pages follow
 * as messages. The stream ends with an `ended` event when the token or session ends or a channel may no
 * longer be read. When the node drains it ends without one. The client reconnects with the id of its last
 * event.
 */
export const streamMessages = (
  ctx: Context,
  { live, revocations, holds, metrics, log }: MessageStreamDeps,
  { maxBufferBytes }: MessageStreamOptions,
  who: Principal,
  from: { asked: readonly ChannelQuery[]; history: number },
): Promise<void> =>
  holds.hold(ctx, async (left) => {
    const begun = await beginLifetime(revocations, who, left)
    if (!begun.ok) return problem(ctx, begun.code)
    const lifetime = begun.value
    // Opened by the first channel. Before that, an error can still be answered with a status.
    let stream: EventStream | undefined

    const cutOff = () => {
      log.warn({ event: 'slow', code: 'SLOW_READER', request: ctx.state.requestId })
      metrics.slowReaders.inc()
      stream?.cut()
      lifetime.end()
    }

    const write = (events: string) => {
      if (!stream || lifetime.over.aborted) return
      // Check before the write, not after it: within one turn of the event loop nothing is sent, however fast
      // the reader is.
      if (stream.waiting <= maxBufferBytes) {
        metrics.traffic.bytesOut += stream.write(events)
        return
      }
      cutOff()
    }

    const broke = (error: unknown) => {
      if (!lifetime.over.aborted && !(error instanceof RedisUnavailable))
        log.error({ err: error, request: ctx.state.requestId }, 'an event stream failed')
      lifetime.end()
    }

    const readers = createMultiChannelReaders(live, who, from, {
      subscribed: (subscribed, idAt) => {
        stream ??= openEventStream(ctx, { onStalled: cutOff })
        const { recovered, reason = 'new' } = subscribed
        metrics.recoveries.inc({ result: recovered ? 'recovered' : reason })
        if (recovered) metrics.recovered.inc(subscribed.messages.length)
        write(eventOf('subscribed', JSON.stringify(subscribed), idAt(subscribed)))
      },
      messages: (batch, idAt) => {
        metrics.traffic.messagesOut += batch.length
        write(batch.map((message) => eventOf('message', message.json, idAt(message))).join(''))
      },
      signal: (signal) => {
        // Signals may be lost. A reader that is behind has no use for them.
        if (stream?.isBehind) metrics.traffic.signalsDropped++
        else write(eventOf(signal.kind, signalJson(signal)))
      },
      ready: async () => {
        lifetime.over.throwIfAborted()
        await stream?.taken(lifetime.over)
      },
      refused: lifetime.end,
      broke,
    })

    try {
      await readers.begin()
      if (stream && !lifetime.over.aborted) await once(lifetime.over, 'abort')
    } catch (error) {
      if (!stream && !lifetime.over.aborted) throw error
      broke(error)
    } finally {
      readers.close()
      lifetime.close()
    }
    const { notice } = lifetime
    if (!stream) return notice ? problem(ctx, notice.code, undefined, notice.reason) : problem(ctx, 'DRAINING')
    if (notice) {
      metrics.ended.inc({ code: notice.code })
      stream.write(eventOf('ended', JSON.stringify(notice)))
    }
    stream.end()
  })
