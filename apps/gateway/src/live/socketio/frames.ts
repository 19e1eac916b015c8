import type { LogEntry, Signal } from '@saoma/channels'
import type { Tcp } from '../../transport/socket/engine.ts'
import { frameSize, latinFrame, TEXT, writeHeader } from '../../transport/socket/frame.ts'
import { signalJson } from '../signal.ts'

/** Engine.IO's packet type "message" in front of Socket.IO's "event". */
const MESSAGE = '4'

type Texts = readonly [string, ...string[]]

/** Encoded events, shared by all receivers. */
export class Frames {
  /** Socket.IO packets, for HTTP long-polling. */
  readonly texts: Texts
  /** Bytes of all frames. */
  readonly size: number
  readonly #lengths: readonly number[]
  #bytes: Buffer | undefined
  #isShared = false

  constructor(texts: Texts) {
    this.texts = texts
    this.#lengths = texts.map((text) => MESSAGE.length + Buffer.byteLength(text))
    this.size = this.#lengths.reduce((sum, length) => sum + frameSize(length), 0)
  }

  /** The WebSocket frames of all packets in one buffer. */
  get bytes(): Buffer {
    this.#bytes ??= this.#encode()
    return this.#bytes
  }

  /**
   * Writes the frames of all packets at once. A single receiver gets them as text, which needs no buffer:
   * memory outside of the heap costs more than the copy that it saves. The second one and those behind it
   * share one buffer.
   */
  write(tcp: Tcp): void {
    const latin = this.#isShared || this.texts.length > 1 ? undefined : latinFrame(MESSAGE + this.texts[0])
    this.#isShared = true
    if (latin === undefined) tcp.write(this.bytes)
    else tcp.write(latin, 'latin1')
  }

  #encode(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.size)
    let at = 0
    this.texts.forEach((text, i) => {
      at = writeHeader(bytes, at, TEXT, this.#lengths[i] ?? 0)
      at += bytes.write(MESSAGE + text, at)
    })
    return bytes
  }
}

/** A Socket.IO event of the root namespace whose one argument is JSON already. */
const event = (name: string, json: string): string => `2["${name}",${json}]`

/**
 * Encodes what was encoded last only once. A batch or a signal goes to all readers of a node in one turn, so
 * one place is enough. A table of all would cost more in collecting garbage than the encoding does.
 */
const encodeOnce = <T extends object>(encode: (value: T) => Frames): ((value: T) => Frames) => {
  let last: { value: T; frames: Frames } | undefined
  return (value) => {
    if (last?.value !== value) last = { value, frames: encode(value) }
    return last.frames
  }
}

/** The frames of a burst of messages. */
export const framesOf = encodeOnce((batch: readonly LogEntry[]) => {
  const [first = '', ...others] = batch.map((kept) => event('message', kept.json))
  return new Frames([first, ...others])
})

/** The frames of a signal. */
export const framesOfSignal = encodeOnce((signal: Signal) => new Frames([event(signal.kind, signalJson(signal))]))
