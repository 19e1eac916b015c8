import type { Subscriber } from './subscriber.ts'

/**
 * What the sharded Socket.IO adapter uses of a subscriber connection, over our counted subscriptions. The
 * adapter ignores the promises it is given, so these methods never reject.
 */
export const adapterClient = (subscriber: Subscriber) => ({
  ssubscribe: (channel: string): void => {
    subscriber.hold(channel).catch(() => {})
  },
  sunsubscribe: (channels: string | string[]): void => {
    for (const channel of [channels].flat()) subscriber.release(channel)
  },
  on: (event: 'smessageBuffer', listener: (channel: Buffer, payload: Buffer) => void): void => {
    if (event === 'smessageBuffer')
      subscriber.on('message', (channel, payload) => listener(Buffer.from(channel), payload))
  },
})
