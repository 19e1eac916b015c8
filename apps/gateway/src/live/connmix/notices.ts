import type { Inbox, LiveServerEvents, PresenceChange, VolatileMessage } from '@saoma/protocol'
import { ended } from './answers.ts'
import type { Subscription } from './burst.ts'

/**
 * What the server says besides messages, as Socket.IO's clients hear it. Our own server's words are not
 * checked again.
 */
type Said = { [E in keyof LiveServerEvents]: Parameters<LiveServerEvents[E]>[0] }

export interface Listener {
  /** By full channel name. */
  subscriptions: ReadonlyMap<string, Subscription>
  /** Whether it ever asked for more than CONNMIX gives. */
  extended: boolean
}

const about = ({ subscriptions }: Listener, channel: string): Subscription =>
  subscriptions.get(channel) ?? { alias: channel, extended: false }

const volatileFrame = ({ channel, event, ...message }: VolatileMessage, listener: Listener): object => {
  const { alias, extended } = about(listener, channel)
  if (!extended) return { event: alias, data: message.data }
  return { event: alias, type: 'volatile', name: event, ...message }
}

const extendedFrame = (name: string, body: object, listener: Listener): object | undefined => {
  switch (name as keyof Said) {
    case 'presence': {
      const { channel, ...data } = body as PresenceChange
      return { event: about(listener, channel).alias, type: 'presence', data }
    }
    case 'inbox': {
      const { channel, ...data } = body as Inbox & { channel: string }
      return { event: about(listener, channel).alias, type: 'inbox', data }
    }
    case 'expiring':
    case 'drain':
      return { event: name, data: body }
    default:
      return undefined
  }
}

/**
 * The frame by which a connection hears of an event; `undefined` when it did not ask for such. Messages do
 * not come this way.
 */
export const noticeOf = (name: string, body: object, listener: Listener): string | undefined => {
  if (name === 'ended') return ended((body as Said['ended']).code)
  const frame =
    name === 'volatile'
      ? volatileFrame(body as VolatileMessage, listener)
      : listener.extended
        ? extendedFrame(name, body, listener)
        : undefined
  return frame && JSON.stringify(frame)
}
