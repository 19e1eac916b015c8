import type { LogEntry } from '@saoma/channels'
import { BINARY, frameSize, TEXT, writeHeader } from '../../transport/socket/frame.ts'
import { MESH_BINARY, MESH_TEXT } from './publication.ts'

/** A subscription of a connection, and the form of its messages. */
export interface Subscription {
  /** The channel as the client wrote it: `@user`, or the full name. */
  alias: string
  /** Whether the client asked for positions. Its messages then contain their epoch and offset. */
  extended: boolean
}

const EVENT = '"event":"'
const DATA = '","data":'
const FROM = ',"from":"'
const TIME = ',"time":'

/** Splits the text of a kept message without parsing it: `"event":…,"data":…,["from":…,]"time":…`. */
const partsOf = (body: string): { event: string; data: string; isFromPerson: boolean } => {
  const eventEnd = body.indexOf('"', EVENT.length)
  const dataAt = eventEnd + DATA.length
  const timeAt = body.lastIndexOf(TIME)
  // An id contains no quotes. Inside of data, the quote after such an id would be followed by more data.
  const fromAt = body.lastIndexOf(FROM, timeAt)
  const isFromPerson = fromAt >= dataAt && body.indexOf('"', fromAt + FROM.length) === timeAt - 1
  return {
    event: body.slice(EVENT.length, eventEnd),
    data: body.slice(dataAt, isFromPerson ? fromAt : timeAt),
    isFromPerson,
  }
}

/** Text or bytes that a backend published with `mesh.publish`. They are delivered unchanged. */
const rawOf = (event: string, data: string): string | Buffer | undefined => {
  if (event !== MESH_TEXT && event !== MESH_BINARY) return undefined
  const content: unknown = JSON.parse(data)
  if (typeof content !== 'string') return undefined
  return event === MESH_TEXT ? content : Buffer.from(content, 'base64')
}

/** A message in the form of this subscription: a string becomes a text frame, a buffer a binary frame. */
export const payloadOf = (kept: LogEntry, { alias, extended }: Subscription): string | Buffer => {
  if (extended) {
    const named = `"name":${kept.body.slice(EVENT.length - 1)}`
    return `{"event":"${alias}",${named},"epoch":"${kept.epoch}","offset":${kept.offset}}`
  }
  const { event, data, isFromPerson } = partsOf(kept.body)
  // Only for backends: a person could pass off frames as frames of the server.
  const raw = isFromPerson ? undefined : rawOf(event, data)
  return raw ?? `{"event":"${alias}","data":${data}}`
}

const encode = (payloads: readonly (string | Buffer)[]): Buffer => {
  const lengths = payloads.map((payload) => Buffer.byteLength(payload))
  const bytes = Buffer.allocUnsafeSlow(lengths.reduce((sum, length) => sum + frameSize(length), 0))
  let at = 0
  payloads.forEach((payload, i) => {
    const isText = typeof payload === 'string'
    at = writeHeader(bytes, at, isText ? TEXT : BINARY, lengths[i] ?? 0)
    at += isText ? bytes.write(payload, at) : payload.copy(bytes, at)
  })
  return bytes
}

const bursts = new WeakMap<readonly LogEntry[], Map<string, Buffer>>()

/** The WebSocket frames of a burst in one buffer, encoded once for all subscribers with the same form. */
export const burstOf = (batch: readonly LogEntry[], subscription: Subscription): Buffer => {
  const forms = bursts.get(batch) ?? new Map<string, Buffer>()
  if (forms.size === 0) bursts.set(batch, forms)
  const form = `${subscription.extended ? '+' : '-'}${subscription.alias}`
  let bytes = forms.get(form)
  if (!bytes) {
    bytes = encode(batch.map((kept) => payloadOf(kept, subscription)))
    forms.set(form, bytes)
  }
  return bytes
}
