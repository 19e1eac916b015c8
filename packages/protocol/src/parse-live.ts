import * as v from 'valibot'
import {
  channelPattern,
  type Inbox,
  type Message,
  OWN_CHANNEL,
  type Position,
  type Presence,
  type PresenceChange,
  type Publication,
  type Published,
  type Subscribed,
  type SubscribeRequest,
  type VolatileMessage,
} from './channel.ts'
import { LONGEST_TOKEN, MOST_HISTORY } from './limits.ts'
import { Count, parser } from './parser.ts'

export const Name = v.pipe(v.string(), v.regex(channelPattern))
/** A channel name as clients write it. */
export const Asked = v.union([v.literal(OWN_CHANNEL), Name])
const Event = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.:@~-]{1,64}$/))
export const Epoch = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/))
export const At = v.object({ epoch: Epoch, offset: Count })
// A missing `data` must fail, because `undefined` is not JSON and would disappear in transit.
const Json = v.pipe(
  v.unknown(),
  v.check((data) => data !== undefined && typeof data !== 'function'),
)

export const Publish = v.object({
  channel: Asked,
  event: Event,
  data: Json,
  idempotencyKey: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(128))),
  volatile: v.optional(v.boolean()),
})
export const Subscribe = v.object({
  channel: Asked,
  since: v.nullish(At),
  history: v.optional(v.pipe(Count, v.maxValue(MOST_HISTORY))),
})
export const OfChannel = v.object({ channel: Asked })
export const Read = v.object({ channel: Asked, offset: Count })
/** The proof of a token's key (RFC 9449): a JWT with the key in its header. */
const Proof = v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(LONGEST_TOKEN)))
export const Refresh = v.object({
  token: v.pipe(v.string(), v.minLength(1), v.maxLength(LONGEST_TOKEN)),
  dpop: Proof,
})

export const Kept = v.object({
  channel: Name,
  event: v.string(),
  data: v.unknown(),
  from: v.optional(v.string()),
  time: v.number(),
  epoch: v.string(),
  offset: Count,
})
export const Passing = v.omit(Kept, ['epoch', 'offset'])
export const Box = v.object({ read: Count, unread: Count })
export const PageBody = v.object({
  channel: Name,
  recovered: v.boolean(),
  reason: v.optional(v.picklist(['epoch', 'trimmed'])),
  epoch: v.string(),
  offset: Count,
  messages: v.array(Kept),
  more: v.optional(v.literal(true)),
  inbox: v.optional(Box),
})
export const Receipt = v.object({
  epoch: v.optional(v.string()),
  offset: v.optional(Count),
  connections: Count,
  repeated: v.optional(v.literal(true)),
})
export const Here = v.object({ channel: Name, users: v.array(v.string()), count: Count, connections: Count })
export const Change = v.object({ channel: Name, event: v.picklist(['join', 'leave']), user: v.string(), count: Count })

// Messages of clients.

/**
 * A channel's full name: `user:<id>` or `room:<name>`.
 *
 * @example
 * ```ts
 * import { parseChannel } from '@saoma/protocol'
 * console.log(parseChannel('room:lobby')) // -> { ok: true, value: 'room:lobby' }
 * console.log(parseChannel('@user')) // -> { ok: false, code: 'INVALID', unfit: [] }
 * ```
 */
export const parseChannel = parser<string>(Name)
/**
 * A reader's position in a channel.
 *
 * @example
 * ```ts
 * import { parsePosition } from '@saoma/protocol'
 * console.log(parsePosition({ epoch: 'Zk3', offset: 7 }))
 * // -> { ok: true, value: { epoch: 'Zk3', offset: 7 } }
 * console.log(parsePosition({ offset: -1 }))
 * // -> { ok: false, code: 'INVALID', unfit: [ 'epoch', 'offset' ] }
 * ```
 */
export const parsePosition = parser<Position>(At)
/**
 * A message to publish: body of `POST /v1/publish`, and of the event `publish`.
 *
 * @example
 * ```ts
 * import { parsePublication } from '@saoma/protocol'
 * console.log(parsePublication({ channel: 'room:lobby', event: 'said', data: { text: 'hello' } }).ok)
 * // -> true
 * console.log(parsePublication({ channel: 'lobby', event: 'said' }))
 * // -> { ok: false, code: 'INVALID', unfit: [ 'channel', 'data' ] }
 * ```
 */
export const parsePublication = parser<Publication>(Publish)
/**
 * What a client sends with `subscribe`.
 *
 * @example
 * ```ts
 * import { parseSubscribe } from '@saoma/protocol'
 * console.log(parseSubscribe({ channel: '@user', history: 20 }))
 * // -> { ok: true, value: { channel: '@user', history: 20 } }
 * console.log(parseSubscribe({ channel: '@user', history: 101 }))
 * // -> { ok: false, code: 'INVALID', unfit: [ 'history' ] }
 * ```
 */
export const parseSubscribe = parser<SubscribeRequest>(Subscribe)
/**
 * What a client sends with `unsubscribe` and `presence`.
 *
 * @example
 * ```ts
 * import { parseOfChannel } from '@saoma/protocol'
 * console.log(parseOfChannel({ channel: 'room:lobby' })) // -> { ok: true, value: { channel: 'room:lobby' } }
 * ```
 */
export const parseOfChannel = parser<{ channel: string }>(OfChannel)
/**
 * What a client sends with `read`: everything up to this offset was read.
 *
 * @example
 * ```ts
 * import { parseRead } from '@saoma/protocol'
 * console.log(parseRead({ channel: '@user', offset: 7 }))
 * // -> { ok: true, value: { channel: '@user', offset: 7 } }
 * ```
 */
export const parseRead = parser<{ channel: string; offset: number }>(Read)
/**
 * What a client sends with `refresh`: a new access token for the same connection.
 *
 * @example
 * ```ts
 * import { parseRefresh } from '@saoma/protocol'
 * console.log(parseRefresh({ token: 'x.y.z' })) // -> { ok: true, value: { token: 'x.y.z' } }
 * console.log(parseRefresh({ token: '' })) // -> { ok: false, code: 'INVALID', unfit: [ 'token' ] }
 * ```
 */
export const parseRefresh = parser<{ token: string; dpop?: string | undefined }>(Refresh)

// Messages of servers.

/**
 * A kept message, as the event `message` has it. `time` is in milliseconds since 1970.
 *
 * @example
 * ```ts
 * import { parseMessage } from '@saoma/protocol'
 * const message = { channel: 'room:lobby', event: 'said', data: 'hello', time: 1_790_000_000_000 }
 * console.log(parseMessage({ ...message, epoch: 'Zk3', offset: 7 }).ok) // -> true
 * console.log(parseMessage(message)) // -> { ok: false, code: 'INVALID', unfit: [ 'epoch', 'offset' ] }
 * ```
 */
export const parseMessage = parser<Message>(Kept)
/**
 * A message that is not kept, as the event `volatile` has it.
 *
 * @example
 * ```ts
 * import { parseVolatile } from '@saoma/protocol'
 * const message = { channel: 'room:lobby', event: 'typing', data: {}, time: 1_790_000_000_000 }
 * console.log(parseVolatile(message).ok) // -> true
 * ```
 */
export const parseVolatile = parser<VolatileMessage>(Passing)
/**
 * Ack of `subscribe`: a page of the log, and the inbox for a person's own channel.
 *
 * @example
 * ```ts
 * import { parseSubscribed } from '@saoma/protocol'
 * const page = { channel: 'room:lobby', recovered: true, epoch: 'Zk3', offset: 7, messages: [] }
 * const parsed = parseSubscribed(page)
 * console.log(parsed.ok && parsed.value.offset) // -> 7
 * ```
 */
export const parseSubscribed = parser<Subscribed>(PageBody)
/**
 * Answer to a publication.
 *
 * @example
 * ```ts
 * import { parsePublished } from '@saoma/protocol'
 * console.log(parsePublished({ epoch: 'Zk3', offset: 8, connections: 2 }))
 * // -> { ok: true, value: { epoch: 'Zk3', offset: 8, connections: 2 } }
 * ```
 */
export const parsePublished = parser<Published>(Receipt)
/**
 * Answer of `GET /v1/channels/{channel}/presence`, and ack of `presence`.
 *
 * @example
 * ```ts
 * import { parsePresence } from '@saoma/protocol'
 * const here = { channel: 'room:lobby', users: ['V1StGXR8'], count: 1, connections: 2 }
 * const parsed = parsePresence(here)
 * console.log(parsed.ok && parsed.value.count) // -> 1
 * ```
 */
export const parsePresence = parser<Presence>(Here)
/**
 * The event `presence`: a person came or left.
 *
 * @example
 * ```ts
 * import { parsePresenceChange } from '@saoma/protocol'
 * const change = { channel: 'room:lobby', event: 'join', user: 'V1StGXR8', count: 2 }
 * console.log(parsePresenceChange(change).ok) // -> true
 * console.log(parsePresenceChange({ ...change, event: 'wave' }))
 * // -> { ok: false, code: 'INVALID', unfit: [ 'event' ] }
 * ```
 */
export const parsePresenceChange = parser<PresenceChange>(Change)
/**
 * Answer of `GET /v1/channels/{channel}/inbox`, and the event `inbox`.
 *
 * @example
 * ```ts
 * import { parseInbox } from '@saoma/protocol'
 * console.log(parseInbox({ read: 5, unread: 2 })) // -> { ok: true, value: { read: 5, unread: 2 } }
 * ```
 */
export const parseInbox = parser<Inbox>(Box)
