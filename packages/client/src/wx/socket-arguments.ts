/** Types that a WebSocket can send. */
export type SocketData = string | ArrayBuffer | ArrayBufferView

/** RFC 6455 section 5.5: a control frame holds 125 bytes, and the code takes two of them. */
const MAX_REASON_BYTES = 123
/** RFC 7230 section 3.2.6. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** Parses a socket's address like the standard, and throws the same errors. */
export const socketUrl = (url: string): string => {
  const [address = ''] = String(url).split('#')
  if (!/^(wss?|https?):\/\/[^/?]/i.test(address)) throw syntaxError(`${url} is not the address of a WebSocket.`)
  return address.replace(/^http/i, 'ws')
}

export const socketProtocols = (protocols: string | readonly string[]): string[] => {
  const names = typeof protocols === 'string' ? [protocols] : [...protocols]
  if (new Set(names).size < names.length || !names.every((name) => TOKEN.test(name)))
    throw syntaxError(`${names.join(', ')} are not valid subprotocols.`)
  return names
}

/** Throws if a page may not close with this code and reason. */
export const checkClose = (code: number | undefined, reason: string | undefined): void => {
  if (code !== undefined && code !== 1_000 && !(code >= 3_000 && code <= 4_999))
    throw new DOMException(`${code} is neither 1000 nor between 3000 and 4999.`, 'InvalidAccessError')
  if (reason !== undefined && bytesOf(reason) > MAX_REASON_BYTES)
    throw syntaxError(`The reason is longer than ${MAX_REASON_BYTES} bytes.`)
}

/** WeChat accepts text, or a buffer with exactly these bytes. */
export const socketFrame = (data: SocketData): string | ArrayBuffer => {
  if (isArrayBuffer(data)) return data
  if (!ArrayBuffer.isView(data)) return String(data)
  const { buffer, byteOffset, byteLength } = data
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
}

/** By name, because WeChat's buffers may come from another realm. */
const isArrayBuffer = (value: unknown): value is ArrayBuffer =>
  Object.prototype.toString.call(value) === '[object ArrayBuffer]'

const bytesOf = (text: string): number => {
  let bytes = 0
  for (const char of text) {
    const point = char.codePointAt(0) ?? 0
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}

const syntaxError = (message: string) => new DOMException(message, 'SyntaxError')
