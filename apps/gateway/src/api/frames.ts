import * as schemas from '@saoma/protocol/schemas'
import * as v from 'valibot'
import { MeshPublication } from '../live/connmix/publication.ts'
import type { Op } from '../live/connmix/requests.ts'
import { Drain, Expiring, meshAnswer, meshError } from './answers.ts'
import type { Schema } from './operation.ts'

/** A frame that a client sends to `/ws`, and the frame that answers it. */
export interface Exchange {
  summary: string
  request: Schema
  answer: Schema
}

/** What is repeated in the answer. A number may be of any size. */
const id = v.optional(v.union([v.pipe(v.string(), v.maxLength(128)), v.number()]))

const request = <O extends Op>(op: O, entries: v.ObjectEntries) => v.object({ op: v.literal(op), ...entries, id })

const { code, react } = schemas.Problem.entries
const refused = v.object({
  code: v.literal(1),
  msg: v.picklist(['Error', 'Not Auth']),
  error: v.optional(code),
  react: v.optional(react),
  retryAfter: v.optional(v.number()),
  id,
})
const answer = (entries: v.ObjectEntries) => v.union([v.object({ result: v.literal(true), ...entries, id }), refused])

/** A message in a subscription with positions. `event` is the channel as the client wrote it. */
const positioned = v.object({
  event: v.string(),
  name: v.string(),
  ...v.omit(schemas.Message, ['channel', 'event']).entries,
})
const page = v.object({ ...schemas.Page.entries, messages: v.array(positioned) })

const mesh = { i: id }

/** The operations of `/ws`, and `mesh.publish`. The compiler compares the names with what is parsed. */
export const exchanges = {
  auth: {
    summary: 'Shows a token. Every other request needs it first.',
    request: request('auth', schemas.RefreshRequest.entries),
    answer: answer({}),
  },
  subscribe: {
    summary: 'Follows a channel. With `since` or `history` the answer has a page, and messages have positions.',
    request: request('subscribe', schemas.SubscribeRequest.entries),
    answer: answer(v.partial(page).entries),
  },
  unsubscribe: {
    summary: 'Follows a channel no longer.',
    request: request('unsubscribe', schemas.ChannelRequest.entries),
    answer: answer({}),
  },
  publish: {
    summary: 'Publishes a message. Its data has up to 32 KiB of JSON, nested at most 64 levels.',
    request: request('publish', schemas.Publication.entries),
    answer: answer(schemas.Published.entries),
  },
  presence: {
    summary: 'Who follows a channel.',
    request: request('presence', schemas.ChannelRequest.entries),
    answer: answer(schemas.Presence.entries),
  },
  read: {
    summary: 'Marks everything up to an offset as read.',
    request: request('read', schemas.ReadRequest.entries),
    answer: answer(schemas.Inbox.entries),
  },
  refresh: {
    summary: 'A newer token of the same person.',
    request: request('refresh', schemas.RefreshRequest.entries),
    answer: answer({ expiresIn: v.number() }),
  },
  meshPublish: {
    summary: 'Publishes in the form of CONNMIX. Only backends may.',
    request: v.object({ m: v.literal('mesh.publish'), p: MeshPublication, ...mesh }),
    answer: v.union([v.object({ ...meshAnswer.entries, ...mesh }), v.object({ ...meshError.entries, ...mesh })]),
  },
} satisfies Record<Op | 'meshPublish', Exchange>

/** Frames that the server sends by itself. */
export const frames = {
  message: {
    summary: 'A message. Text of `mesh.publish` comes as it is.',
    body: v.object({ event: v.string(), data: v.unknown() }),
  },
  positionedMessage: { summary: 'A message in a subscription with positions.', body: positioned },
  volatile: {
    summary: 'A message that is not kept.',
    body: v.object({
      type: v.literal('volatile'),
      ...v.omit(positioned, ['epoch', 'offset']).entries,
    }),
  },
  presence: {
    summary: 'Somebody came or left.',
    body: v.object({
      event: v.string(),
      type: v.literal('presence'),
      data: v.omit(schemas.PresenceChange, ['channel']),
    }),
  },
  inbox: {
    summary: 'Another device of the person has read something.',
    body: v.object({ event: v.string(), type: v.literal('inbox'), data: schemas.Inbox }),
  },
  expiring: {
    summary: 'The token ends in so many seconds.',
    body: v.object({ event: v.literal('expiring'), data: Expiring }),
  },
  drain: { summary: 'The node is going away.', body: v.object({ event: v.literal('drain'), data: Drain }) },
  ended: {
    summary: 'The token or the session has ended.',
    body: v.object({
      code: v.literal(1),
      msg: v.literal('Not Auth'),
      error: code,
      reason: v.optional(v.string()),
    }),
  },
} satisfies Record<string, { summary: string; body: Schema }>
