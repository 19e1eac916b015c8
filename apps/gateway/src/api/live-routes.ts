import { LONGEST_HOLD_SECONDS, MOST_CHANNELS, MOST_HISTORY, PAGE_MESSAGES } from '@saoma/protocol'
import * as schemas from '@saoma/protocol/schemas'
import * as v from 'valibot'
import { MeshPublication } from '../live/connmix/publication.ts'
import { Place } from '../live/http/channel-query.ts'
import { LARGEST_BATCH } from '../live/http/publish.ts'
import { Ordinal, WholeNumber } from '../transport/http/query.ts'
import { meshAnswer, meshError, Pages, PublishedAll, Trimmed } from './answers.ts'
import type { Answer, Operations, Parameter } from './operation.ts'

const channel: Parameter = { says: 'A channel. `@user` is the own one of a person.', schema: schemas.AskedChannel }
const wait: Parameter = {
  says: `Seconds to hold the answer until there is something, ${LONGEST_HOLD_SECONDS} at most. Without a position there is nothing to wait for.`,
  schema: WholeNumber,
}
const limit = (without: string): Parameter => ({
  says: `Most messages of a page. With a position ${PAGE_MESSAGES}, which is the most; 0 counts as that. Without a position ${without}.`,
  schema: WholeNumber,
})
const lastEventId: Parameter = { says: 'The id of the last event. It overrides the positions.', schema: v.string() }
const STREAM = 'With `Accept: text/event-stream` it is a stream, which AsyncAPI describes.'

const BEARER = ['UNAUTHORIZED', 'TOKEN_EXPIRED', 'REVOKED', 'BACKEND_UNAVAILABLE', 'FORBIDDEN'] as const
const mesh = (says: string): Answer => ({ says, json: meshError })

/** The routes of `live/`, in the order of PROTOCOL.md. */
export const liveOperations = {
  'POST /v1/publish': {
    id: 'publish',
    group: 'Live channels',
    summary: 'Publishes one message, or several',
    says: `The data of a message has up to 32 KiB of JSON (\`SAOMA_LIMIT_MESSAGE_BYTES\`), nested at most 64 levels. \`@user\` is for people. An array has up to ${LARGEST_BATCH} messages, and is answered by an array in the same order: a message that is not well formed is refused there, and the others are published.`,
    credentials: ['apiKey', 'token'],
    body: { schema: v.union([schemas.Publication, v.pipe(v.array(schemas.Publication), v.maxLength(LARGEST_BATCH))]) },
    answers: {
      200: { says: 'Where the message is, or each of them.', json: v.union([schemas.Published, PublishedAll]) },
    },
    codes: [...BEARER, 'KEY_REUSED'],
  },
  'GET /v1/channels/{channel}/messages': {
    id: 'readChannel',
    group: 'Live channels',
    summary: 'Messages of one channel: a page, a long poll or an event stream',
    says: `\`epoch\` and \`after\` are the position: give both or none. ${STREAM}`,
    credentials: ['apiKey', 'token'],
    path: { channel },
    query: {
      epoch: { says: 'The epoch of the position.', schema: schemas.Epoch },
      after: { says: 'The offset of the position.', schema: WholeNumber },
      limit: limit(`${MOST_HISTORY}, and none on a stream`),
      wait,
    },
    headers: { 'Last-Event-ID': lastEventId },
    answers: { 200: { says: 'One page.', json: schemas.Page, other: ['text/event-stream'] } },
    codes: [...BEARER, 'DRAINING'],
  },
  'GET /v1/messages': {
    id: 'readChannels',
    group: 'Live channels',
    summary: 'Messages of several channels: pages, a long poll or an event stream',
    says: `If one of the channels may not be read, the whole request is refused. ${STREAM}`,
    credentials: ['apiKey', 'token'],
    query: {
      channel: {
        says: `\`name\` or \`name;epoch;offset\`, no channel twice.`,
        schema: Place,
        required: true,
        several: { most: MOST_CHANNELS },
      },
      limit: limit(`none unless it is given, and ${MOST_HISTORY} at most`),
      wait,
    },
    headers: { 'Last-Event-ID': lastEventId },
    answers: { 200: { says: 'A page of each channel.', json: Pages, other: ['text/event-stream'] } },
    codes: [...BEARER, 'DRAINING'],
  },
  'GET /v1/channels/{channel}/presence': {
    id: 'getPresence',
    group: 'Live channels',
    summary: 'Who follows a channel',
    credentials: ['apiKey', 'token'],
    path: { channel },
    answers: { 200: { says: 'The people, at most 1,000 of them by id.', json: schemas.Presence } },
    codes: BEARER,
  },
  'GET /v1/channels/{channel}/inbox': {
    id: 'getInbox',
    group: 'Live channels',
    summary: 'What a person has read',
    says: 'Only `user:` channels have an inbox.',
    credentials: ['apiKey', 'token'],
    path: { channel },
    answers: { 200: { says: 'The inbox.', json: schemas.Inbox } },
    codes: BEARER,
  },
  'POST /v1/channels/{channel}/read': {
    id: 'markRead',
    group: 'Live channels',
    summary: 'Marks everything up to an offset as read',
    says: 'Only `user:` channels have an inbox. The position never moves back.',
    credentials: ['apiKey', 'token'],
    path: { channel },
    body: { schema: v.omit(schemas.ReadRequest, ['channel']) },
    answers: { 200: { says: 'The inbox.', json: schemas.Inbox } },
    codes: BEARER,
  },
  'DELETE /v1/channels/{channel}/messages': {
    id: 'trimChannel',
    group: 'Live channels',
    summary: 'Forgets every message below an offset',
    credentials: ['apiKey'],
    path: { channel },
    query: { before: { says: 'The first offset that stays.', schema: Ordinal, required: true } },
    answers: { 200: { says: 'How many were forgotten.', json: Trimmed } },
    codes: BEARER,
  },
  'POST /v1/mesh/publish': {
    id: 'meshPublish',
    group: 'CONNMIX',
    summary: 'Publishes in the form of CONNMIX',
    says: 'With `t: "binary"` `d` is base64 as an encoder writes it. `s` counts the connections that followed.',
    credentials: ['apiKey'],
    body: { schema: MeshPublication },
    answers: {
      200: { says: 'Published.', json: meshAnswer },
      400: mesh('INVALID, with `c` 101.'),
      401: mesh('UNAUTHORIZED or REVOKED.'),
      403: mesh('FORBIDDEN.'),
      413: mesh('TOO_LARGE, with `c` 101.'),
      429: mesh('RATE_LIMITED, for the bytes of the key.'),
      502: mesh('BACKEND_UNAVAILABLE.'),
      503: mesh('REDIS_UNAVAILABLE.'),
    },
    codes: [],
  },
} as const satisfies Operations
