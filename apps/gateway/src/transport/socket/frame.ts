/** Opcodes of WebSocket frames (RFC 6455 section 5.2). */
export const TEXT = 1
export const BINARY = 2

/** Unsent characters of whole frames that are written without waiting for the end of the turn. */
export const MOST_UNSENT = 65_536

const FINAL = 0x80

const headerSize = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10)

/** Size of a frame with a payload of `length` bytes. Servers do not mask. */
export const frameSize = (length: number): number => headerSize(length) + length

/** Writes the header of a frame. Returns the index where its payload begins. */
export const writeHeader = (into: Buffer, at: number, opcode: number, length: number): number => {
  into[at] = FINAL | opcode
  if (length < 126) {
    into[at + 1] = length
  } else if (length < 65_536) {
    into[at + 1] = 126
    into.writeUInt16BE(length, at + 2)
  } else {
    into[at + 1] = 127
    into.writeBigUInt64BE(BigInt(length), at + 2)
  }
  return at + headerSize(length)
}

/**
 * Encodes an ASCII text as one whole frame, one character a byte: such a text reaches the kernel without a
 * buffer of its own. Undefined for other texts, and for those of 64 KiB and more.
 */
export const latinFrame = (text: string): string | undefined => {
  const { length } = text
  if (length >= 65_536 || Buffer.byteLength(text) !== length) return undefined
  const header =
    length < 126
      ? String.fromCharCode(FINAL | TEXT, length)
      : String.fromCharCode(FINAL | TEXT, 126, length >> 8, length & 0xff)
  return header + text
}

/** Encodes a text as one whole frame. */
export const textFrame = (text: string): Buffer => {
  const length = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(frameSize(length))
  bytes.write(text, writeHeader(bytes, 0, TEXT, length))
  return bytes
}
