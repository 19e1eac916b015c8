import type { Subscriber } from './subscriber.ts'
import type { ChannelListener } from './subscription.ts'

/**
 * What the sharded Socket.IO adapter uses of a subscriber connection, over our subscriptions: it takes a
 * client that has `sSubscribe` for one of the package `redis`, and gives it a listener for each channel. The
 * adapter ignores the promises it is given, so these methods never reject.
 */
export const adapterClient = (subscriber: Subscriber) => {
  const listeners = new Map<string, ChannelListener>()
  return {
    sSubscribe: (channel: string, listener: (payload: Buffer, channel: string) => void): void => {
      const hearing = { hear: (payload: Buffer) => listener(payload, channel) }
      listeners.set(channel, hearing)
      subscriber.hold(channel, hearing).catch(() => {})
    },
    sUnsubscribe: (channels: string | string[]): void => {
      for (const channel of [channels].flat()) {
        const hearing = listeners.get(channel)
        listeners.delete(channel)
        if (hearing) subscriber.release(channel, hearing)
      }
    },
  }
}
