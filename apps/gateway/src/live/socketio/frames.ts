import type { LogEntry, Signal } from '@saoma/channels'
import { frameSize, TEXT, writeHeader } from '../../transport/socket/frame.ts'
import { signalJson } from '../signal.ts'

/** Encoded events, shared by all receivers. */
export interface Frames {
  /** Socket.IO packets, for HTTP long-polling; never empty. */
  texts: readonly [string, ...string[]]
  /** The WebSocket frames of all packets in one buffer. */
  bytes: Buffer
}

/** Engine.IO's packet type "message" in front of Socket.IO's "event". */
const MESSAGE = '4'

const frame = (texts: readonly [string, ...string[]]): Frames => {
  const lengths = texts.map((text) => MESSAGE.length + Buffer.byteLength(text))
  const size = lengths.reduce((sum, length) => sum + frameSize(length), 0)
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  texts.forEach((text, i) => {
    at = writeHeader(bytes, at, TEXT, lengths[i] ?? 0)
    at += bytes.write(MESSAGE + text, at)
  })
  return { texts, bytes }
}

/** A Socket.IO event of the root namespace whose one argument is JSON already. */
const event = (name: string, json: string): string => `2["${name}",${json}]`

const batches = new WeakMap<readonly LogEntry[], Frames>()
const signals = new WeakMap<Signal, Frames>()

/**
 * The frames of a burst of messages. The same array gives the same frames, so all readers share one encoding.
 */
export const framesOf = (batch: readonly LogEntry[]): Frames => {
  let frames = batches.get(batch)
  if (!frames) {
    const [first = '', ...others] = batch.map((kept) => event('message', kept.json))
    frames = frame([first, ...others])
    batches.set(batch, frames)
  }
  return frames
}

/** The frames of a signal, shared in the same way. */
export const framesOfSignal = (signal: Signal): Frames => {
  let frames = signals.get(signal)
  if (!frames) {
    frames = frame([event(signal.kind, signalJson(signal))])
    signals.set(signal, frames)
  }
  return frames
}
