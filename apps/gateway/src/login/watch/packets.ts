import { LOGIN_NAMESPACE, type LoginServerEvents, type TicketState } from '@saoma/protocol'
import { Decoder, type Packet } from 'socket.io-parser'
import { textFrame } from '../../transport/socket/frame.ts'

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

/** Socket.IO's packet types behind Engine.IO's `4`, with the only namespace of this door. */
const CONNECT = `${MESSAGE}0${LOGIN_NAMESPACE},`
const DISCONNECT = `${MESSAGE}1${LOGIN_NAMESPACE},`
const EVENT = `${MESSAGE}2${LOGIN_NAMESPACE},`
const ACK = `${MESSAGE}3${LOGIN_NAMESPACE},`

/** Frames that are the same for all clients, made once. */
export const pingFrame = textFrame(PING)
export const disconnectFrame = textFrame(DISCONNECT)

export const openFrame = (opening: object): Buffer => textFrame(OPEN + JSON.stringify(opening))
export const connectFrame = (sid: string): Buffer => textFrame(CONNECT + JSON.stringify({ sid }))
/** Socket.IO's answer to an unknown namespace. The name of the root namespace is omitted. */
export const noNamespaceFrame = (namespace: string): Buffer =>
  textFrame(`${MESSAGE}4${namespace === '/' ? '' : `${namespace},`}${JSON.stringify({ message: 'Invalid namespace' })}`)
export const ackFrame = (id: number, answer: object): Buffer => textFrame(`${ACK}${id}${JSON.stringify([answer])}`)
export const drainFrame = (resumeAfterMs: number): Buffer => eventFrame('drain', { resumeAfterMs })

const eventFrame = <E extends keyof LoginServerEvents>(name: E, value: Parameters<LoginServerEvents[E]>[0]): Buffer =>
  textFrame(EVENT + JSON.stringify([name, value]))

const tickets = new WeakMap<TicketState, Buffer>()

/**
 * The event with a ticket's state. The same object gives the same
 * frame, so all its watchers share one encoding.
 */
export const ticketFrame = (state: TicketState): Buffer => {
  let frame = tickets.get(state)
  if (!frame) {
    frame = eventFrame('ticket', state)
    tickets.set(state, frame)
  }
  return frame
}

let read: Packet | undefined
const decoder = new Decoder()
decoder.on('decoded', (packet: Packet) => {
  read = packet
})

/** Whether a packet has binary attachments, which follow in frames of their own. */
export const hasBytes = (text: string): boolean => text[0] === '5' || text[0] === '6'

/** Parses a whole packet with Socket.IO's own parser; throws what the parser throws. */
export const readPacket = (text: string): Packet => {
  read = undefined
  decoder.add(text)
  if (!read) throw new TypeError('a packet that is not whole')
  return read
}

/**
 * Parses a packet with binary attachments: pass it each part until it returns the packet. Throws what
 * Socket.IO's parser throws.
 */
export const createReader = (): ((part: string | Buffer) => Packet | undefined) => {
  const own = new Decoder()
  let whole: Packet | undefined
  own.on('decoded', (packet: Packet) => {
    whole = packet
  })
  return (part) => {
    own.add(part)
    return whole
  }
}
