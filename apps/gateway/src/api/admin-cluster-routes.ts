import type { ChannelSummary } from '@saoma/channels'
import * as schemas from '@saoma/protocol/schemas'
import * as v from 'valibot'
import { HistoryParameters, ListParameters, PeopleParameters, TrimParameters } from '../admin/channels.ts'
import { type LiveLogin, RecentParameters } from '../admin/logins.ts'
import { DrainRequest, type ListedNode, NodeId, NodesParameters } from '../admin/nodes.ts'
import { NodeReport } from '../operate/node-report.ts'
import type { Operations } from './operation.ts'

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
const text = v.optional(v.string())
const cursor = text

const LiveState = v.picklist(['pending', 'scanned', 'confirmed'])
const where = { client: text, person: text, ip: text, browser: text, os: text }
const Live = v.object({
  ...{ ticket: v.string(), state: LiveState, since: v.string(), expiresIn: Count },
  ...where,
}) satisfies v.GenericSchema<unknown, LiveLogin>
/** Entries of the audit tell what was. */
const Login = v.union([
  Live,
  v.object({
    ...{ id: v.string(), kind: v.string(), time: v.string(), node: v.string(), ticket: text, sid: text },
    ...where,
    ...{ mode: text, by: text, reason: text },
  }),
])

const Summary = v.object({
  channel: schemas.ChannelName,
  epoch: v.optional(schemas.Epoch),
  offset: Count,
  oldest: v.optional(Count),
  messages: Count,
  connections: Count,
  people: Count,
}) satisfies v.GenericSchema<unknown, ChannelSummary>

const { version, since, ready, draining, reasons, warnings, load } = NodeReport.entries
const Node = v.object({
  id: NodeId,
  answers: v.boolean(),
  ...{ host: text, pid: v.optional(Count), version: v.optional(version), since: v.optional(since) },
  ...{ ready: v.optional(ready), draining: v.optional(draining), reasons: v.optional(reasons) },
  ...{ warnings: v.optional(warnings), load: v.optional(load) },
}) satisfies v.GenericSchema<unknown, ListedNode>

const REFUSALS = ['UNAUTHORIZED', 'SCOPE_MISSING'] as const
const channel = { channel: { says: 'The full name of the channel.', schema: schemas.ChannelName } }
const limit = (schema: v.GenericSchema) => ({ says: 'Most of the page: 50 if left out, 500 at most.', schema })
const onward = (schema: v.GenericSchema) => ({ says: 'The cursor of the page before.', schema })

/** The administrators' routes for logins, channels and nodes, in the order of PROTOCOL.md. */
export const adminClusterOperations = {
  'GET /v1/admin/logins': {
    id: 'listLogins',
    group: 'Administrators',
    internal: true,
    summary: 'Logins: those that were, or those in progress',
    says: 'It needs the scope `audit:read`. With `state=live` there is no `from` and `to`.',
    credentials: ['apiKey'],
    query: {
      state: { says: '`recent` if left out, or `live`.', schema: RecentParameters.entries.state },
      person: { says: 'A `sub`.', schema: RecentParameters.entries.person },
      ticket: { says: 'A ticket.', schema: RecentParameters.entries.ticket },
      client: { says: 'An OAuth client.', schema: RecentParameters.entries.client },
      network: { says: 'An address, or a network such as `203.0.113.0/24`.', schema: RecentParameters.entries.network },
      from: { says: 'What happened then or later, in ISO 8601.', schema: RecentParameters.entries.from },
      to: { says: 'What happened then or earlier, in ISO 8601.', schema: RecentParameters.entries.to },
      limit: limit(RecentParameters.entries.limit),
      cursor: onward(RecentParameters.entries.cursor),
    },
    answers: {
      200: {
        says: 'The newest first. A page may be short or empty, and still have a cursor.',
        json: v.object({ logins: v.array(Login), cursor }),
      },
    },
    codes: REFUSALS,
  },
  'GET /v1/admin/channels': {
    id: 'listChannels',
    group: 'Administrators',
    internal: true,
    summary: 'Channels that had a message and are not forgotten',
    says: 'It needs the scope `channels:read`. They come in no order. A channel may come twice.',
    credentials: ['apiKey'],
    query: {
      prefix: { says: 'The beginning of the name.', schema: ListParameters.entries.prefix },
      limit: limit(ListParameters.entries.limit),
      cursor: onward(ListParameters.entries.cursor),
    },
    answers: {
      200: {
        says: 'A page. It may be short or empty, and still have a cursor.',
        json: v.object({ channels: v.array(Summary), cursor }),
      },
    },
    codes: REFUSALS,
  },
  'GET /v1/admin/channels/{channel}': {
    id: 'getChannel',
    group: 'Administrators',
    internal: true,
    summary: 'What there is of a channel',
    says: 'It needs the scope `channels:read`. A channel that never had a message has no `epoch`.',
    credentials: ['apiKey'],
    path: channel,
    answers: {
      200: {
        says: '`memory` is what the log takes in Redis, in bytes, if Redis says it.',
        json: v.object({ ...Summary.entries, memory: v.optional(Count) }),
      },
    },
    codes: REFUSALS,
  },
  'GET /v1/admin/channels/{channel}/messages': {
    id: 'listMessages',
    group: 'Administrators',
    internal: true,
    summary: 'Messages of a channel, the oldest first',
    says: 'It needs the scope `channels:read`. A page has 300 messages or 256 KiB at most.',
    credentials: ['apiKey'],
    path: channel,
    query: {
      after: { says: 'Only messages above this offset. Not with a cursor.', schema: HistoryParameters.entries.after },
      limit: limit(HistoryParameters.entries.limit),
      cursor: onward(HistoryParameters.entries.cursor),
    },
    answers: {
      200: {
        says: 'A page.',
        json: v.object({ channel: schemas.ChannelName, messages: schemas.Page.entries.messages, cursor }),
      },
    },
    codes: REFUSALS,
  },
  'GET /v1/admin/channels/{channel}/people': {
    id: 'listPeople',
    group: 'Administrators',
    internal: true,
    summary: 'Who follows a channel',
    says: 'It needs the scope `channels:read`. If there are more than `limit`, those named are drawn at random.',
    credentials: ['apiKey'],
    path: channel,
    query: { limit: limit(PeopleParameters.entries.limit) },
    answers: {
      200: {
        says: '`count` people with `connections` in all.',
        json: v.object({
          ...{ channel: schemas.ChannelName, connections: Count, count: Count, people: v.array(v.string()) },
        }),
      },
    },
    codes: REFUSALS,
  },
  'DELETE /v1/admin/channels/{channel}/messages': {
    id: 'trimMessages',
    group: 'Administrators',
    internal: true,
    summary: 'Forgets every message of a channel below an offset',
    says: 'It needs the scope `channels:write`. It works in a full Redis too.',
    credentials: ['apiKey'],
    path: channel,
    query: {
      before: { says: 'The first offset that stays.', schema: TrimParameters.entries.before, required: true },
    },
    answers: {
      200: {
        says: 'How many were forgotten by this call, and what there is now.',
        json: v.object({ trimmed: Count, ...Summary.entries }),
      },
    },
    codes: REFUSALS,
  },
  'GET /v1/admin/nodes': {
    id: 'listNodes',
    group: 'Administrators',
    internal: true,
    summary: 'The nodes that live, and how they are',
    says: 'It needs the scope `nodes:read`. A node that does not answer in two seconds has `answers: false`.',
    credentials: ['apiKey'],
    query: { limit: limit(NodesParameters.entries.limit), cursor: onward(NodesParameters.entries.cursor) },
    answers: { 200: { says: 'A page, by id.', json: v.object({ nodes: v.array(Node), cursor }) } },
    codes: REFUSALS,
  },
  'POST /v1/admin/nodes/{id}/drain': {
    id: 'drainNode',
    group: 'Administrators',
    internal: true,
    summary: 'Drains one node, whichever is asked',
    says:
      'It needs the scope `nodes:write`. The node ends as after SIGTERM. INTERNAL says that it did not answer. ' +
      'FORBIDDEN says that no other node is ready. `force` drains it even so.',
    credentials: ['apiKey'],
    path: { id: { says: 'The id of the node.', schema: NodeId } },
    body: { schema: DrainRequest, optional: true },
    answers: {
      200: { says: 'The node drains.', json: v.object({ id: NodeId, draining: v.literal(true) }) },
    },
    codes: [...REFUSALS, 'FORBIDDEN', 'NOT_FOUND'],
  },
} as const satisfies Operations
