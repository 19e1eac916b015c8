import { type Code, codes, type Failed, parseExact } from '@saoma/protocol'

/** Types of Socket.IO's packets as they are written, for the root namespace. */
const CONNECT = '0'
const DISCONNECT = '1'
const EVENT = '2'
const ACK = '3'
const CONNECT_ERROR = '4'

/** What Socket.IO says to a client. */
export type Packet =
  | { kind: 'connected' }
  | { kind: 'refused'; code: Code }
  | { kind: 'disconnected' }
  | { kind: 'ack'; id: number; answer: { ok: true; value: object } | Failed }
  | { kind: 'event'; name: string; body: object }

/** `body` is JSON of an object. */
export const connectPacket = (body: string): string => `${CONNECT}${body}`
export const eventPacket = (name: string, ack: number, body: string): string => `${EVENT}${ack}["${name}",${body}]`

const isCode = (value: unknown): value is Code => typeof value === 'string' && Object.hasOwn(codes, value)
const codeOf = (value: unknown): Code => {
  const code = isObject(value) && 'code' in value ? value.code : undefined
  return isCode(code) ? code : 'INTERNAL'
}
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const failedOf = (answer: unknown): Failed => {
  const retryAfter = isObject(answer) && 'retryAfter' in answer ? answer.retryAfter : undefined
  return { ok: false, code: codeOf(answer), ...(typeof retryAfter === 'number' ? { retryAfter } : {}) }
}

const readAck = (text: string): Packet => {
  const bodyAt = text.indexOf('[')
  const [answer] = parseExact(text.slice(bodyAt)) as unknown[]
  const id = Number(text.slice(1, bodyAt))
  if (!isObject(answer) || !('ok' in answer) || answer.ok !== true) return { kind: 'ack', id, answer: failedOf(answer) }
  const { ok, ...value } = answer
  return { kind: 'ack', id, answer: { ok, value } }
}

/** Reads a packet of Socket.IO; `undefined` for what is never said to this door. */
export const readPacket = (text: string): Packet | undefined => {
  switch (text[0]) {
    case CONNECT:
      return { kind: 'connected' }
    case DISCONNECT:
      return { kind: 'disconnected' }
    case CONNECT_ERROR: {
      const refusal: unknown = JSON.parse(text.slice(1))
      return { kind: 'refused', code: codeOf(isObject(refusal) && 'data' in refusal ? refusal.data : undefined) }
    }
    case ACK:
      return readAck(text)
    case EVENT: {
      const [name, body] = parseExact(text.slice(1)) as unknown[]
      return typeof name === 'string' && isObject(body) ? { kind: 'event', name, body } : undefined
    }
    default:
      return undefined
  }
}
