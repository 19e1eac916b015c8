import type { Code, LiveClientEvents, LiveServerEvents, LoginClientEvents, LoginServerEvents } from '@saoma/protocol'
import * as schemas from '@saoma/protocol/schemas'
import {
  Done,
  Drain,
  Ended,
  Expiring,
  InboxChange,
  Marked,
  Present,
  Refreshed,
  Sent,
  Subscribed,
  Watched,
} from './answers.ts'
import type { Schema } from './operation.ts'

/** An event that a client sends, and its ack. */
export interface ClientEvent {
  summary: string
  request: Schema
  /** The whole ack, granted or refused. */
  ack: Schema
  /** The codes of a refusal besides those of every event (`EVERY_EVENT`). */
  codes: readonly Code[]
}

/** An event that the server sends. */
export interface ServerEvent {
  summary: string
  body: Schema
}

/** Any event may be refused with these. */
export const EVERY_EVENT: readonly Code[] = ['INVALID', 'RATE_LIMITED', 'REDIS_UNAVAILABLE', 'INTERNAL']

const CHANNEL = ['FORBIDDEN', 'BACKEND_UNAVAILABLE'] as const

const drain: ServerEvent = {
  summary: 'The node is going away. Come back after this time, in milliseconds.',
  body: Drain,
}

/** Namespace `/login` of Socket.IO. The compiler compares the names with the types of the events. */
export const loginEvents = {
  fromClient: {
    watch: {
      summary: 'Follows a ticket. The ack is sent after the node is subscribed.',
      request: schemas.WatchRequest,
      ack: Watched,
      codes: ['TICKET_NOT_FOUND', 'TICKET_EXPIRED'],
    },
  } satisfies Record<keyof LoginClientEvents, ClientEvent>,
  fromServer: {
    ticket: { summary: 'A transition. Drop a version that is not above the last one.', body: schemas.TicketState },
    drain,
  } satisfies Record<keyof LoginServerEvents, ServerEvent>,
}

/** Namespace `/` of Socket.IO. */
export const liveEvents = {
  fromClient: {
    subscribe: {
      summary: 'Follows a channel. The ack is a page, and comes before any message behind it.',
      request: schemas.SubscribeRequest,
      ack: Subscribed,
      codes: [...CHANNEL, 'TOO_MANY_CHANNELS', 'NOT_SUBSCRIBED'],
    },
    unsubscribe: {
      summary: 'Follows a channel no longer.',
      request: schemas.ChannelRequest,
      ack: Done,
      codes: ['NOT_SUBSCRIBED'],
    },
    publish: {
      summary: 'Publishes a message. Its data has up to 32 KiB of JSON, nested at most 64 levels.',
      request: schemas.Publication,
      ack: Sent,
      codes: [...CHANNEL, 'TOO_LARGE', 'KEY_REUSED'],
    },
    presence: {
      summary: 'Who follows a channel.',
      request: schemas.ChannelRequest,
      ack: Present,
      codes: CHANNEL,
    },
    read: {
      summary: 'Marks everything up to an offset as read. Only `user:` channels have an inbox.',
      request: schemas.ReadRequest,
      ack: Marked,
      codes: CHANNEL,
    },
    refresh: {
      summary: 'A newer token of the same person.',
      request: schemas.RefreshRequest,
      ack: Refreshed,
      codes: ['UNAUTHORIZED', 'TOKEN_EXPIRED', 'REVOKED', 'FORBIDDEN', 'BACKEND_UNAVAILABLE'],
    },
  } satisfies Record<keyof LiveClientEvents, ClientEvent>,
  fromServer: {
    message: { summary: 'A kept message, in the order of the channel.', body: schemas.Message },
    volatile: { summary: 'A message that is not kept.', body: schemas.VolatileMessage },
    presence: {
      summary: 'Somebody came or left, where the rule of the channel says so.',
      body: schemas.PresenceChange,
    },
    inbox: { summary: 'Another device of the person has read something.', body: InboxChange },
    expiring: { summary: 'The token ends in so many seconds.', body: Expiring },
    ended: { summary: 'The token or the session has ended. The socket is closed next.', body: Ended },
    drain,
  } satisfies Record<keyof LiveServerEvents, ServerEvent>,
}

const { message, volatile, presence, inbox, ended } = liveEvents.fromServer

/** Server-Sent Events, by the name of the event. */
export const streams = {
  ticket: { ticket: loginEvents.fromServer.ticket },
  messages: {
    subscribed: {
      summary: 'A page of one channel. A second one says that the channel was read again.',
      body: schemas.Page,
    },
    message,
    volatile,
    presence,
    inbox,
    ended: { ...ended, summary: 'The last event, when the token or the session ends or a channel may not be read.' },
  },
} satisfies Record<string, Record<string, ServerEvent>>
