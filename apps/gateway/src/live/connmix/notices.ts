import type { Signal } from '@saoma/channels'
import { parseExact, type VolatileMessage } from '@saoma/protocol'
import type { Notice, NoticeBody } from '../endpoint.ts'
import { ended } from './answers.ts'
import type { Subscription } from './burst.ts'

/** The state that decides whether, and in which form, a connection receives frames other than messages. */
export interface Listener {
  /** Subscriptions by full channel name. */
  subscriptions: ReadonlyMap<string, Subscription>
  /** Whether the client ever used a feature beyond CONNMIX. */
  extended: boolean
}

const about = ({ subscriptions }: Listener, channel: string): Subscription =>
  subscriptions.get(channel) ?? { alias: channel, extended: false }

/** Parsed volatile messages. All receivers share one signal object, so it is parsed once. */
const volatile = new WeakMap<Signal, VolatileMessage>()
const volatileOf = (signal: Signal & { kind: 'volatile' }): VolatileMessage => {
  const message = volatile.get(signal) ?? (parseExact(signal.json) as VolatileMessage)
  volatile.set(signal, message)
  return message
}

const volatileFrame = ({ channel, event, ...message }: VolatileMessage, listener: Listener): object => {
  const { alias, extended } = about(listener, channel)
  if (!extended) return { event: alias, data: message.data }
  return { event: alias, type: 'volatile', name: event, ...message }
}

const frameOf = (signal: Signal, listener: Listener): object | undefined => {
  if (signal.kind === 'volatile') return volatileFrame(volatileOf(signal), listener)
  if (!listener.extended) return undefined
  if (signal.kind === 'inbox')
    return { event: about(listener, signal.channel).alias, type: 'inbox', data: signal.inbox }
  const { channel, ...data } = signal.change
  return { event: about(listener, channel).alias, type: 'presence', data }
}

/** The frame of a signal; `undefined` if the client did not ask for such frames. */
export const noticeOfSignal = (signal: Signal, listener: Listener): string | undefined => {
  const frame = frameOf(signal, listener)
  return frame && JSON.stringify(frame)
}

/**
 * The frame of a notice about the connection itself; `undefined` if the client did not ask for such frames.
 */
export const noticeOf = <N extends Notice>(
  notice: N,
  body: NoticeBody<N>,
  { extended }: Listener,
): string | undefined => {
  if ('code' in body) return ended(body)
  return extended ? JSON.stringify({ event: notice, data: body }) : undefined
}
