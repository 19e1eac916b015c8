import { isBeyond, mayBeInexact, reviveExact, sayBeyond } from '@saoma/protocol'
import { Encoder, type Packet, Decoder as PlainDecoder } from 'socket.io-parser'
import { reviveWith } from './engine.ts'

/** Stands in the place of a request that cannot be carried as it was sent. */
export class Flawed {
  readonly why: string
  constructor(why: string) {
    this.why = why
  }
}

const sayBytes = (path = 'the request'): string => `${path} holds bytes, which are not carried: send them as base64`

const pathOfBytes = (value: unknown): string | undefined => {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return ''
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, member] of Object.entries(value)) {
    const path = pathOfBytes(member)
    if (path !== undefined) return path === '' ? key : `${key}.${path}`
  }
  return undefined
}

/**
 * What the packet that is being decoded has which no number can be. One for all: a text is decoded in one go.
 */
let beyond: string | undefined

const revive = (key: string, value: unknown, context?: { source?: string }): unknown => {
  if (isBeyond(value)) beyond ??= sayBeyond(key, context?.source)
  return reviveExact(key, value, context)
}

// One function for all, because a closure for each connection is memory.
function judge(this: Decoder, packet: Packet): void {
  if (!Array.isArray(packet.data)) return
  const [name, request] = packet.data
  if (this.hasBytes) packet.data = [name, new Flawed(sayBytes(pathOfBytes(request)))]
  else if (beyond) packet.data = [name, new Flawed(beyond)]
}

/** Socket.IO's own, but that numbers stay as they were written and bytes are seen. */
class Decoder extends PlainDecoder {
  hasBytes = false

  constructor() {
    super()
    // Before Socket.IO hears of it.
    this.on('decoded', judge)
  }

  override add(part: unknown): void {
    if (typeof part === 'string') {
      this.hasBytes = part.startsWith('5')
      beyond = undefined
      // It would read every packet with a function, which takes several times as long.
      reviveWith(this, mayBeInexact(part) ? revive : undefined)
    }
    super.add(part)
  }
}

export const parser = { Encoder, Decoder }
