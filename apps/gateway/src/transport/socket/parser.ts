import { isBeyond, mayBeInexact, reviveExact, sayBeyond } from '@saoma/protocol'
import { Encoder, type Packet, Decoder as PlainDecoder } from 'socket.io-parser'
import { reviveWith } from './engine.ts'

/** The placeholder of a request that cannot be processed as it was sent. */
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
 * The error about a number out of range in the current packet. One variable suffices for all, because a text
 * is decoded synchronously.
 */
let beyond: string | undefined

const revive = (key: string, value: unknown, context?: { source?: string }): unknown => {
  if (isBeyond(value)) beyond ??= sayBeyond(key, context?.source)
  return reviveExact(key, value, context)
}

// One shared function: a closure for each connection would cost memory.
function judge(this: Decoder, packet: Packet): void {
  if (!Array.isArray(packet.data)) return
  const [name, request] = packet.data
  if (this.hasBytes) packet.data = [name, new Flawed(sayBytes(pathOfBytes(request)))]
  else if (beyond) packet.data = [name, new Flawed(beyond)]
}

/** Socket.IO's own decoder, except that numbers keep their exact digits and binary data is rejected. */
class Decoder extends PlainDecoder {
  hasBytes = false

  constructor() {
    super()
    // Registered before Socket.IO's own listener.
    this.on('decoded', judge)
  }

  override add(part: unknown): void {
    if (typeof part === 'string') {
      this.hasBytes = part.startsWith('5')
      beyond = undefined
      // Set the reviver only if necessary: with one, parsing takes several times as long.
      reviveWith(this, mayBeInexact(part) ? revive : undefined)
    }
    super.add(part)
  }
}

export const parser = { Encoder, Decoder }
