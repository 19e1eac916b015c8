import type { Userinfo } from '@saoma/identity'
import type { DecisionAnswer, Inbox, Refusal, TypedCodeAnswer, UserCodeAnswer } from '@saoma/protocol'
import * as schemas from '@saoma/protocol/schemas'
import * as v from 'valibot'

/*
 * Answers that no client of ours parses. The types after `satisfies` are those that the routes answer with.
 */

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))

export const Decision = v.object({ state: schemas.TicketState }) satisfies v.GenericSchema<unknown, DecisionAnswer>
export const UserCode = v.object({ ticket: schemas.Ticket }) satisfies v.GenericSchema<unknown, UserCodeAnswer>
export const FoundDevice = v.object({ ticket: schemas.Ticket, app: v.string() }) satisfies v.GenericSchema<
  unknown,
  TypedCodeAnswer
>
export const Resumed = v.object({ deviceCode: schemas.DeviceCode, state: schemas.TicketState })
export const Nothing = v.object({})
export const Pages = v.object({ channels: v.array(schemas.Page) })
export const Trimmed = v.object({ trimmed: Count })

const { code, react } = schemas.Problem.entries
export const Refused = v.object({
  ok: v.literal(false),
  code,
  message: v.string(),
  react,
  retryAfter: v.optional(Count),
}) satisfies v.GenericSchema<unknown, Refusal>

/** By the scopes of the token. Claims of the business come under their own names. */
export const Person = v.looseObject({
  sub: v.string(),
  name: v.optional(v.string()),
  picture: v.optional(v.string()),
  locale: v.optional(v.string()),
  phone_number: v.optional(v.string()),
  phone_number_verified: v.optional(v.literal(true)),
}) satisfies v.GenericSchema<unknown, Userinfo>

/** The ack of an event, and a member of the answer to an array of messages. */
export const answered = (entries: v.ObjectEntries) => v.union([v.object({ ok: v.literal(true), ...entries }), Refused])

export const PublishedAll = v.array(answered(schemas.Published.entries))

export const Watched = answered({ state: schemas.TicketState })
export const Subscribed = answered(schemas.Page.entries)
export const Done = answered({})
export const Sent = answered(schemas.Published.entries)
export const Present = answered(schemas.Presence.entries)
export const Marked = answered(schemas.Inbox.entries)
export const Refreshed = answered({ expiresIn: v.number() })

export const InboxChange = v.object({
  channel: schemas.ChannelName,
  ...schemas.Inbox.entries,
}) satisfies v.GenericSchema<unknown, Inbox & { channel: string }>
export const Expiring = v.object({ expiresIn: v.number() })
export const Ended = v.object({ code, reason: v.optional(v.string()) })
export const Drain = v.object({ resumeAfterMs: v.number() })

/** CONNMIX's own form. `s` is the number of connections that followed the channel, `f` is 0. */
export const meshAnswer = v.object({ E: v.null(), r: v.object({ s: Count, f: v.literal(0) }) })
export const meshError = v.object({ E: v.object({ c: Count, m: v.string() }) })
