import type { Channels, Following, Listener, ReadRequest } from '@saoma/channels'
import {
  fail,
  type Inbox,
  ok,
  type Page,
  type Presence,
  type Publication,
  type Published,
  type Result,
  type Subscribed,
  type SubscribeRequest,
  userOf,
} from '@saoma/protocol'
import type { Policy, Principal } from '../access/principal.ts'
import type { Allowance } from './allowance.ts'
import type { ChannelName } from './channel-name.ts'

export interface LiveDeps {
  channels: Channels
  policy: Policy
  allowance: Allowance
  /** Whether Redis has memory left for writes of the channels, of so many bytes. */
  hasRoom: (bytes?: number) => boolean
}

export interface LiveOptions {
  /** Most bytes of the JSON of a message's data. */
  maxDataBytes: number
}

/** Where a reader begins in a channel. */
export type ReadFrom = Omit<SubscribeRequest, 'channel'>

export interface Subscription {
  subscribed: Subscribed
  following: Pick<Following, 'start' | 'close'>
}

/**
 * The operations of people and backends on channels, the same on every door. The door parses the input. Each
 * call checks the policy and then uses the channels. Rejects with RedisUnavailable.
 */
export interface Live {
  publish(who: Principal, publication: Publication & { channel: ChannelName }): Promise<Result<Published>>
  /**
   * Follows a channel. `counted` adds the person to its presence. Call
   * `following.start()` when the page has been sent.
   */
  subscribe(
    who: Principal,
    channel: ChannelName,
    from: ReadFrom,
    listener: Listener,
    counted: boolean,
  ): Promise<Result<Subscription>>
  /** One page, without following. */
  read(who: Principal, channel: ChannelName, request: ReadRequest): Promise<Result<Page>>
  presence(who: Principal, channel: ChannelName): Promise<Result<Presence>>
  /** The inbox of a `user:` channel. */
  inbox(who: Principal, channel: ChannelName): Promise<Result<Inbox>>
  /** Marks the messages of a `user:` channel as read, up to `offset`. */
  markRead(who: Principal, channel: ChannelName, offset: number): Promise<Result<Inbox>>
  /** Backends only: deletes the messages below an offset. */
  trim(who: Principal, channel: ChannelName, before: number): Promise<Result<{ trimmed: number }>>
}

/** Most levels of nesting in data. Parsers of other languages fail at a few hundred. */
const MOST_LEVELS = 64

const isDeeper = (data: unknown, levels: number): boolean =>
  typeof data === 'object' &&
  data !== null &&
  (levels === 0 || Object.values(data).some((member) => isDeeper(member, levels - 1)))

/**
 * Makes a following release its slot when it closes. If its page has more behind it, the channel is not
 * followed yet, so the slot is released at once. The page goes to the client and is not kept: a connection
 * would hold its messages for as long as it follows.
 */
const holding = ({ page, start, close }: Following, leave: () => void): Subscription => {
  if (page.more) leave()
  return {
    subscribed: page,
    following: {
      start,
      close: () => {
        leave()
        close()
      },
    },
  }
}

/** What a key hears that may not see the presence. */
const withoutPresence = (listener: Listener): Listener => ({
  messages: (batch) => listener.messages(batch),
  signal: (signal) => {
    if (signal.kind !== 'presence') listener.signal(signal)
  },
})

export const createLive = ({ channels, policy, allowance, hasRoom }: LiveDeps, { maxDataBytes }: LiveOptions): Live => {
  /** A person's own channel, for that person and for backends. */
  const mayReadInbox = async (who: Principal, channel: ChannelName): Promise<Result<true>> => {
    const verdict = await policy(who, 'follow', channel)
    return verdict.ok && userOf(channel) === undefined ? fail('INVALID') : verdict
  }

  return {
    publish: async (who, publication) => {
      const { channel, data, volatile = false } = publication
      const verdict = await policy(who, 'publish', channel)
      if (!verdict.ok) return verdict
      if (isDeeper(data, MOST_LEVELS)) return fail('INVALID')
      const json = JSON.stringify(data)
      const bytes = Buffer.byteLength(json)
      if (bytes > maxDataBytes) return fail('TOO_LARGE')
      if (!volatile && !hasRoom(bytes)) return fail('REDIS_UNAVAILABLE')
      const spent = await allowance.publish(who, bytes, volatile)
      if (!spent.ok) return spent
      const publisher = who.kind === 'person' ? { from: who.user, mayBegin: () => allowance.begin(who) } : {}
      return channels.publish({ ...publication, ...publisher, json })
    },

    subscribe: async (who, channel, { since, history }, listener, counted) => {
      const verdict = await policy(who, 'follow', channel)
      if (!verdict.ok) return verdict
      const heard = who.kind === 'person' || who.may.includes('presence') ? listener : withoutPresence(listener)
      const user = counted && who.kind === 'person' ? { user: who.user } : {}
      if ('user' in user && !hasRoom()) return fail('REDIS_UNAVAILABLE')
      const place = await allowance.follow(who)
      if (!place.ok) return place
      const followed = await channels
        .follow(channel, { ...(since ? { since } : {}), ...(history ? { history } : {}), ...user }, heard)
        .then(
          (following) => holding(following, place.value),
          (error: unknown) => {
            place.value()
            throw error
          },
        )
      if (userOf(channel) === undefined) return ok(followed)
      const { subscribed, following } = followed
      try {
        return ok({ subscribed: { ...subscribed, inbox: await channels.inbox(channel) }, following })
      } catch (error) {
        following.close()
        throw error
      }
    },

    read: async (who, channel, request) => {
      const verdict = await policy(who, 'follow', channel)
      return verdict.ok ? ok(await channels.read(channel, request)) : verdict
    },

    presence: async (who, channel) => {
      const verdict = await policy(who, 'presence', channel)
      return verdict.ok ? ok(await channels.presence(channel)) : verdict
    },

    inbox: async (who, channel) => {
      const verdict = await mayReadInbox(who, channel)
      return verdict.ok ? ok(await channels.inbox(channel)) : verdict
    },

    markRead: async (who, channel, offset) => {
      const verdict = await mayReadInbox(who, channel)
      if (verdict.ok && !hasRoom()) return fail('REDIS_UNAVAILABLE')
      return verdict.ok ? ok(await channels.markRead(channel, offset)) : verdict
    },

    trim: async (who, channel, before) => {
      if (who.kind !== 'backend') return fail('FORBIDDEN')
      const verdict = await policy(who, 'publish', channel)
      return verdict.ok ? ok({ trimmed: await channels.trim(channel, before - 1) }) : verdict
    },
  }
}
