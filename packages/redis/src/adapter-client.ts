import type { Subscriber } from './subscriber.ts'
import type { ChannelListener } from './subscription.ts'

/**
 * A subscriber client for the sharded Socket.IO adapter, on top of our subscriptions. The adapter expects a
 * client of the package `redis` with `sSubscribe`, and passes a listener for each channel. It ignores the
 * returned promises, so these methods never reject.
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
