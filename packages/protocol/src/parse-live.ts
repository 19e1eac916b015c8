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
import { parser } from './parser.ts'

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
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
export const Refresh = v.object({ token: v.pipe(v.string(), v.minLength(1), v.maxLength(LONGEST_TOKEN)) })

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

/** Messages of clients. */
export const parseChannel = parser<string>(Name)
export const parsePosition = parser<Position>(At)
export const parsePublication = parser<Publication>(Publish)
export const parseSubscribe = parser<SubscribeRequest>(Subscribe)
export const parseOfChannel = parser<{ channel: string }>(OfChannel)
export const parseRead = parser<{ channel: string; offset: number }>(Read)
export const parseRefresh = parser<{ token: string }>(Refresh)

/** Messages of servers. */
export const parseMessage = parser<Message>(Kept)
export const parseVolatile = parser<VolatileMessage>(Passing)
export const parseSubscribed = parser<Subscribed>(PageBody)
export const parsePublished = parser<Published>(Receipt)
export const parsePresence = parser<Presence>(Here)
export const parsePresenceChange = parser<PresenceChange>(Change)
export const parseInbox = parser<Inbox>(Box)
