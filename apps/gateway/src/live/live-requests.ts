import {
  type LiveClientEvents,
  parseOfChannel,
  parsePublication,
  parseRead,
  parseRefresh,
  parseSubscribe,
  type Result,
} from '@saoma/protocol'
import type { Metrics } from '../operate/metrics.ts'
import type { Act } from '../transport/socket/answer-event.ts'
import { type ChannelName, channelOf } from './channel-name.ts'
import { countPublication } from './count-publication.ts'
import type { Live } from './live.ts'
import type { LiveConnection } from './live-connection.ts'

type LiveRequests = Record<keyof LiveClientEvents, Act<LiveConnection>>

/** The requests over a live connection. They are parsed here, and typed from here on. */
export const createLiveRequests = (live: Live, metrics: Pick<Metrics, 'published'>): LiveRequests => {
  /** Parses a request that names a channel, and resolves the name. */
  const inChannel =
    <T extends { channel: string }>(
      parse: (input: unknown) => Result<T>,
      act: (
        connection: LiveConnection,
        asked: T & { channel: ChannelName },
        later: (work: () => void) => void,
      ) => Result<object> | Promise<Result<object>>,
    ): Act<LiveConnection> =>
    async (connection, request, later) => {
      const asked = parse(request)
      if (!asked.ok) return asked
      const channel = channelOf(connection.who, asked.value.channel)
      return channel.ok ? act(connection, { ...asked.value, channel: channel.value }, later) : channel
    }

  const publish = inChannel(parsePublication, ({ who }, publication) => live.publish(who, publication))

  return {
    subscribe: inChannel(parseSubscribe, ({ subscriptions }, { channel, ...from }, later) =>
      subscriptions.subscribe(channel, from, later),
    ),
    unsubscribe: inChannel(parseOfChannel, ({ subscriptions }, { channel }) => subscriptions.unsubscribe(channel)),
    publish: (connection, request, later) => countPublication(metrics, () => publish(connection, request, later)),
    presence: inChannel(parseOfChannel, ({ who }, { channel }) => live.presence(who, channel)),
    read: inChannel(parseRead, ({ who }, { channel, offset }) => live.markRead(who, channel, offset)),
    refresh: async (connection, request) => {
      const asked = parseRefresh(request)
      return asked.ok ? connection.refresh(asked.value) : asked
    },
  }
}
