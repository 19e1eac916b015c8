/** What a WebSocket can be asked to send. */
export type SocketData = string | ArrayBuffer | ArrayBufferView

/** RFC 6455 section 5.5: a control frame holds 125 bytes, and the code takes two of them. */
const MAX_REASON_BYTES = 123
/** RFC 7230 section 3.2.6. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** The standard's reading of a socket's address; throws what the standard throws. */
export const socketUrl = (url: string): string => {
  const [address = ''] = String(url).split('#')
  if (!/^(wss?|https?):\/\/[^/?]/i.test(address)) throw syntaxError(`${url} is no address of a WebSocket.`)
  return address.replace(/^http/i, 'ws')
}

export const socketProtocols = (protocols: string | readonly string[]): string[] => {
  const names = typeof protocols === 'string' ? [protocols] : [...protocols]
  if (new Set(names).size < names.length || !names.every((name) => TOKEN.test(name)))
    throw syntaxError(`${names.join(', ')} are no subprotocols.`)
  return names
}

/** Throws for what a page may not say when it closes. */
export const checkClose = (code: number | undefined, reason: string | undefined): void => {
  if (code !== undefined && code !== 1_000 && !(code >= 3_000 && code <= 4_999))
    throw new DOMException(`${code} is neither 1000 nor between 3000 and 4999.`, 'InvalidAccessError')
  if (reason !== undefined && bytesOf(reason) > MAX_REASON_BYTES)
    throw syntaxError(`The reason is longer than ${MAX_REASON_BYTES} bytes.`)
}

/** What WeChat takes: text, or a buffer that holds these bytes and no others. */
export const socketFrame = (data: SocketData): string | ArrayBuffer => {
  if (isArrayBuffer(data)) return data
  if (!ArrayBuffer.isView(data)) return String(data)
  const { buffer, byteOffset, byteLength } = data
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
}

/** By name, because WeChat's buffers may be made in another realm than ours. */
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
