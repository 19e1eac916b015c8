import type { Packet, Decoder as PlainDecoder } from 'socket.io-parser'
import { latinFrame, textFrame } from '../socket/frame.ts'
import { parser } from '../socket/parser.ts'

/** Packet types of Engine.IO, the first character of a frame. */
export const OPEN = '0'
export const CLOSE = '1'
export const PING = '2'
export const PONG = '3'
export const MESSAGE = '4'
export const UPGRADE = '5'
export const NOOP = '6'
/** Base64 text, which a client may send instead of a binary frame. */
export const BASE64 = 'b'

/** A whole WebSocket frame. A text has one character a byte, and needs no buffer of its own. */
export type Frame = string | Buffer

const frameOf = (text: string): Frame => latinFrame(text) ?? textFrame(text)

/** Socket.IO omits the name of the root namespace. */
const prefixOf = (namespace: string): string => (namespace === '/' ? '' : `${namespace},`)

/** Frames that are the same for all clients, made once. */
export const pingFrame = frameOf(PING)

export const openFrame = (opening: object): Frame => frameOf(OPEN + JSON.stringify(opening))

/** Socket.IO's answer to an unknown namespace. */
export const noNamespaceFrame = (namespace: string): Frame =>
  frameOf(`${MESSAGE}4${prefixOf(namespace)}${JSON.stringify({ message: 'Invalid namespace' })}`)

/** The frames of one namespace: Socket.IO's packet types behind Engine.IO's `4`. */
export const createFrames = (namespace: string) => {
  const prefix = prefixOf(namespace)
  const [connect, disconnect, event, ack, refused] = [0, 1, 2, 3, 4].map((type) => `${MESSAGE}${type}${prefix}`)
  return {
    connected: (sid: string): Frame => frameOf(connect + JSON.stringify({ sid })),
    /** `message` is the error's, as the client's library shows it. */
    refused: (message: string, data: object): Frame => frameOf(refused + JSON.stringify({ message, data })),
    disconnected: frameOf(`${disconnect}`),
    ack: (id: number, answer: object): Frame => frameOf(`${ack}${id}${JSON.stringify([answer])}`),
    event: (name: string, value: object): Frame => frameOf(event + JSON.stringify([name, value])),
  }
}

export type Frames = ReturnType<typeof createFrames>

/** Whether a packet has binary attachments, which follow in frames of their own. */
export const hasBytes = (text: string): boolean => text[0] === '5' || text[0] === '6'

/**
 * Parses packets part by part: a text, then its binary attachments. Returns the packet when it is whole.
 * Throws what Socket.IO's parser throws.
 */
export const createReader = (): ((part: string | Buffer) => Packet | undefined) => {
  const decoder: PlainDecoder = new parser.Decoder()
  let whole: Packet | undefined
  decoder.on('decoded', (packet: Packet) => {
    whole = packet
  })
  return (part) => {
    whole = undefined
    decoder.add(part)
    return whole
  }
}

/** One reader for all packets without attachments, which are read in one step. */
const read = createReader()

/** Parses a whole packet with Socket.IO's own parser; throws what the parser throws. */
export const readPacket = (text: string): Packet => {
  const packet = read(text)
  if (!packet) throw new TypeError('a packet that is not whole')
  return packet
}
