import type { LogEntry } from '@saoma/channels'
import { BINARY, frameSize, TEXT, writeHeader } from '../../transport/socket/frame.ts'
import { MESH_BINARY, MESH_TEXT } from './publication.ts'

/** What a connection subscribed to, and in which form it wants to hear of it. */
export interface Subscription {
  /** The channel as the client wrote it: `@user`, or the full name. */
  alias: string
  /** Whether it asked for positions: messages then say where they stand. */
  extended: boolean
}

const EVENT = '"event":"'
const DATA = '","data":'
const FROM = ',"from":"'
const TIME = ',"time":'

/** The parts of a kept message's text, without parsing it: `"event":…,"data":…,["from":…,]"time":…`. */
const partsOf = (body: string): { event: string; data: string; isFromPerson: boolean } => {
  const eventEnd = body.indexOf('"', EVENT.length)
  const dataAt = eventEnd + DATA.length
  const timeAt = body.lastIndexOf(TIME)
  // An id has no quotes in it, and inside of data nothing could follow the id's quote but more of the data.
  const fromAt = body.lastIndexOf(FROM, timeAt)
  const isFromPerson = fromAt >= dataAt && body.indexOf('"', fromAt + FROM.length) === timeAt - 1
  return {
    event: body.slice(EVENT.length, eventEnd),
    data: body.slice(dataAt, isFromPerson ? fromAt : timeAt),
    isFromPerson,
  }
}

/** Text or bytes that a backend published by `mesh.publish` and that go out as they came in. */
const rawOf = (event: string, data: string): string | Buffer | undefined => {
  if (event !== MESH_TEXT && event !== MESH_BINARY) return undefined
  const content: unknown = JSON.parse(data)
  if (typeof content !== 'string') return undefined
  return event === MESH_TEXT ? content : Buffer.from(content, 'base64')
}

/** A message as this subscription is told of it: a string is a text frame, bytes are a binary one. */
export const payloadOf = (kept: LogEntry, { alias, extended }: Subscription): string | Buffer => {
  if (extended) {
    const named = `"name":${kept.body.slice(EVENT.length - 1)}`
    return `{"event":"${alias}",${named},"epoch":"${kept.epoch}","offset":${kept.offset}}`
  }
  const { event, data, isFromPerson } = partsOf(kept.body)
  // Only a backend's own words: a person could pass off frames as the server's.
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

/**
 * The WebSocket frames of a burst in one piece, made once for all subscribers that hear of it in the same
 * form.
 */
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
