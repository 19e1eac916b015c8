import { mayBeInexact, reviveExact } from '@saoma/protocol'
import { Encoder, Decoder as PlainDecoder } from 'socket.io-parser'

/** Stands in the place of a request that has bytes in it. They would arrive as an object of numbers. */
export class Bytes {
  /** Where they are: `data.picture`. */
  readonly path: string
  constructor(path: string) {
    this.path = path
  }
}

const pathOfBytes = (value: unknown): string | undefined => {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return ''
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, member] of Object.entries(value)) {
    const path = pathOfBytes(member)
    if (path !== undefined) return path === '' ? key : `${key}.${path}`
  }
  return undefined
}

/** Socket.IO's own, but that numbers stay as they were written and bytes are seen. */
class Decoder extends PlainDecoder {
  #hasBytes = false

  constructor() {
    super()
    // Before Socket.IO hears of it.
    this.on('decoded', (packet) => {
      if (this.#hasBytes && Array.isArray(packet.data))
        packet.data = [packet.data[0], new Bytes(pathOfBytes(packet.data[1]) ?? '')]
    })
  }

  override add(part: unknown): void {
    if (typeof part === 'string') {
      this.#hasBytes = part.startsWith('5')
      // It would read every packet with a function, which takes several times as long.
      Reflect.set(Reflect.get(this, 'opts'), 'reviver', mayBeInexact(part) ? reviveExact : undefined)
    }
    super.add(part)
  }
}

export const parser = { Encoder, Decoder }
