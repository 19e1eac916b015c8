import type { Kept, Signal } from '@saoma/channels'
import type { Socket } from 'socket.io'
import type { WebSocket } from 'ws'
import { type Frames, framesOf, framesOfSignal } from './frames.ts'

/** What the plain WebSocket door adds to the connection that it hands to Socket.IO. */
export interface PlainConnection {
  /** Writes a burst of one channel in its own format; returns the bytes. */
  deliver(batch: readonly Kept[]): number
  /** Bytes that the client has not taken yet. */
  readonly bufferedAmount: number
  /** Says why, then ends the connection whether or not the client listens. */
  terminate(code: number, reason: string): void
}

/** The part of an Engine.IO connection that is used here; some of it is private in its types. */
interface Connection {
  readonly transport: { name: string; writable: boolean; socket?: WebSocket }
  readonly writeBuffer: readonly { data?: string | Buffer }[]
  write(data: string, options?: object): unknown
  close(discard?: boolean): unknown
}

/** WebSocket close code "try again later". */
const TRY_AGAIN_LATER = 1013
/** How long a reader that does not read may take to take the close frame. */
const LAST_FRAME_MS = 2_000

/** Where the messages for one socket go out, and how much of them has not been taken yet. */
export interface Outlet {
  /** Returns bytes written, or `slow` when the reader has more than the cap waiting: it was cut off. */
  messages(batch: readonly Kept[]): number | 'slow'
  /** Whether the reader has more than the cap waiting, of whatever kind: it was cut off. */
  isSlow(): boolean
  /** Signals may be lost: one is dropped when the reader is behind. */
  signal(signal: Signal): number | 'dropped'
}

export const createOutlet = (engine: Socket['conn'], maxBufferBytes: number): Outlet => {
  const connection = engine as unknown as Connection
  const isPlain = connection.transport.name === 'plain'
  const plain = engine as unknown as PlainConnection
  /** Bytes handed over since Engine.IO's own queue was last empty: it counts packets only. */
  let queued = 0
  let cut = false

  const buffered = (): number => {
    if (isPlain) return plain.bufferedAmount
    if (connection.writeBuffer.length === 0) queued = 0
    return queued + (connection.transport.socket?.bufferedAmount ?? 0)
  }

  /** What Engine.IO has queued, answers to the client's questions included; too slow to be asked with every message. */
  const measured = (): number =>
    isPlain ? 0 : connection.writeBuffer.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)

  const write = (frames: Frames): number => {
    // Engine.IO sends pre-encoded frames as they are, so a burst is one packet to it and one write to the system.
    if (connection.transport.name === 'websocket') connection.write(frames.texts[0], frames.options)
    else for (const text of frames.texts) connection.write(text)
    if (connection.writeBuffer.length > 0) queued += frames.size
    return frames.size
  }

  const cutOff = (): 'slow' => {
    if (cut) return 'slow'
    cut = true
    if (isPlain) {
      plain.terminate(TRY_AGAIN_LATER, 'SLOW_READER')
      return 'slow'
    }
    const { socket } = connection.transport
    if (socket) {
      socket.close(TRY_AGAIN_LATER, 'SLOW_READER')
      setTimeout(() => socket.terminate(), LAST_FRAME_MS).unref()
    }
    // What waits in the queue would never be taken either.
    connection.close(true)
    return 'slow'
  }

  return {
    isSlow: () => {
      if (!cut && Math.max(buffered(), measured()) <= maxBufferBytes) return false
      cutOff()
      return true
    },
    messages: (batch) => {
      if (cut || buffered() > maxBufferBytes) return cutOff()
      return isPlain ? plain.deliver(batch) : write(framesOf(batch))
    },
    signal: (signal) => {
      if (cut || buffered() > 0 || !connection.transport.writable) return 'dropped'
      return write(framesOfSignal(signal))
    },
  }
}
