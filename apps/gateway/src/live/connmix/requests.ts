import { exactText, readExact } from '@saoma/protocol'
import { meshPublication } from './publication.ts'

/**
 * The operations of clients, and the keys that are read for each.
 * Socket.IO's events have the same names, except `auth`.
 */
const keysOf = {
  auth: ['token', 'dpop'],
  subscribe: ['channel', 'since', 'history'],
  unsubscribe: ['channel'],
  publish: ['channel', 'event', 'data', 'idempotencyKey', 'volatile'],
  presence: ['channel'],
  read: ['channel', 'offset'],
  refresh: ['token', 'dpop'],
} as const satisfies Record<string, readonly string[]>

export type Op = keyof typeof keysOf

/** A number of any size keeps its digits: it is an object of JSON.rawJSON. */
export type RequestId = string | number | object

/** The form of the answer to a request. */
export interface Form {
  /** CONNMIX has one form for clients and one for backends. */
  mesh: boolean
  /** Repeated in the answer. */
  id?: RequestId
}

export interface Call {
  op: Op
  /** The body as Socket.IO's clients would send it, for the shared parsers. */
  body: Readonly<Record<string, unknown>>
  /** The channel as the client wrote it. */
  channel?: string
  /** Whether a subscription asks for more than CONNMIX gives: positions, and notices besides messages. */
  extended: boolean
}

/** A text frame of a client. Without a `call` it is not a known request. */
export interface Request {
  form: Form
  call?: Call
}

const LONGEST_ID = 128

const isId = (value: unknown): value is RequestId =>
  (typeof value === 'string' ? value : (exactText(value) ?? '-'.repeat(LONGEST_ID + 1))).length <= LONGEST_ID

const isOp = (value: unknown): value is Op => typeof value === 'string' && Object.hasOwn(keysOf, value)

type Frame = Readonly<Record<string, unknown>>

const readMesh = ({ m, p, i }: Frame): Request => {
  const form: Form = { mesh: true, ...(isId(i) ? { id: i } : {}) }
  const publication = m === 'mesh.publish' ? meshPublication(p) : undefined
  if (!publication?.ok) return { form }
  return { form, call: { op: 'publish', body: { ...publication.value }, extended: false } }
}

const readOp = (frame: Frame): Request => {
  const { op, id, channel } = frame
  const form: Form = { mesh: false, ...(isId(id) ? { id } : {}) }
  if (!isOp(op) || (id !== undefined && !isId(id))) return { form }
  const given = keysOf[op].filter((key) => Object.hasOwn(frame, key))
  const call: Call = {
    op,
    body: Object.fromEntries(given.map((key) => [key, frame[key]])),
    extended: op === 'subscribe' && (Object.hasOwn(frame, 'since') || Object.hasOwn(frame, 'history')),
    ...(typeof channel === 'string' ? { channel } : {}),
  }
  return { form, call }
}

/** Reads a text frame. The types of its values are checked later, by the parsers that use them. */
export const readRequest = (text: string): Request => {
  try {
    const frame = readExact(text)
    if (typeof frame === 'object' && frame !== null)
      return 'm' in frame ? readMesh(frame as Frame) : readOp(frame as Frame)
  } catch {
    // Not JSON, or it contains a number that is out of range.
  }
  return { form: { mesh: false } }
}
