import type { Channels, Following, Listener, ReadRequest } from '@saoma/channels'
import {
  fail,
  type Inbox,
  OWN_CHANNEL,
  ok,
  type Page,
  type Presence,
  type Published,
  parseChannel,
  parseOfChannel,
  parsePublication,
  parseRead,
  parseSubscribe,
  type Result,
  type Subscribed,
  userChannel,
  userOf,
} from '@saoma/protocol'
import { matches, type Policy, type Principal } from '../access/principal.ts'
import type { Allowance } from './allowance.ts'

export interface LiveDeps {
  channels: Channels
  policy: Policy
  allowance: Allowance
  /** Whether Redis has room for what channels write. */
  hasRoom: () => boolean
}

export interface LiveOptions {
  /** Most bytes that the JSON of a message's data may have. */
  maxDataBytes: number
  /**
   * Told of each publication: `ok`, why not, or `failed`, and the seconds from the question to the answer.
   */
  onPublish: (result: string, seconds: number) => void
}

export interface Subscription {
  subscribed: Subscribed
  following: Following
}

/**
 * What people and backends do with channels, the same on every door: each call reads its request, asks the
 * policy and then the channels. Rejects with RedisUnavailable when Redis cannot be asked.
 */
export interface Live {
  /** A channel's full name: `@user` is the asker's own. INVALID for anything that is no channel. */
  resolve(who: Principal, asked: unknown): Result<string>
  publish(who: Principal, publication: unknown): Promise<Result<Published>>
  /**
   * Follows a channel. `counted` makes the person present in it. Call `following.start()` when the page has
   * been sent.
   */
  subscribe(who: Principal, request: unknown, listener: Listener, counted: boolean): Promise<Result<Subscription>>
  /** One page, without following. */
  read(who: Principal, asked: string, request: ReadRequest): Promise<Result<Page>>
  presence(who: Principal, request: unknown): Promise<Result<Presence>>
  inbox(who: Principal, request: unknown): Promise<Result<Inbox>>
  markRead(who: Principal, request: unknown): Promise<Result<Inbox>>
  /** Backends only: forgets the messages below an offset. */
  trim(who: Principal, asked: string, before: number): Promise<Result<{ trimmed: number }>>
  /** Backends only: ends a session of a person, or all of them. */
  end(who: Principal, user: string, sid?: string): Promise<Result<true>>
}

/** Levels of data; parsers of other languages give up at a few hundred. */
const MOST_LEVELS = 64

const isDeeper = (data: unknown, levels: number): boolean =>
  typeof data === 'object' &&
  data !== null &&
  (levels === 0 || Object.values(data).some((member) => isDeeper(member, levels - 1)))

/**
 * A following that gives its place back when it ends, or at once when its page has more behind it and nothing
 * is followed.
 */
const holding = (following: Following, leave: () => void): Following => {
  if (following.page.more) leave()
  return {
    ...following,
    close: () => {
      leave()
      following.close()
    },
  }
}

export const createLive = (
  { channels, policy, allowance, hasRoom }: LiveDeps,
  { maxDataBytes, onPublish }: LiveOptions,
): Live => {
  const resolve = (who: Principal, asked: unknown): Result<string> => {
    if (asked !== OWN_CHANNEL) return parseChannel(asked)
    return who.kind === 'person' ? parseChannel(userChannel(who.user)) : fail('INVALID')
  }

  /** The channel asked for, if this may be done in it. */
  const permitted = async (who: Principal, action: 'follow' | 'publish', asked: unknown): Promise<Result<string>> => {
    const channel = resolve(who, asked)
    if (!channel.ok) return channel
    const verdict = await policy(who, action, channel.value)
    return verdict.ok ? channel : verdict
  }

  /** A person's own channel, for that person and for backends. */
  const inboxOf = async (who: Principal, asked: unknown): Promise<Result<string>> => {
    const channel = await permitted(who, 'follow', asked)
    if (!channel.ok) return channel
    return userOf(channel.value) === undefined ? fail('INVALID') : channel
  }

  const publish: Live['publish'] = async (who, input) => {
    const publication = parsePublication(input)
    if (!publication.ok) return publication
    const channel = await permitted(who, 'publish', publication.value.channel)
    if (!channel.ok) return channel
    const { data } = publication.value
    if (isDeeper(data, MOST_LEVELS)) return fail('INVALID')
    const bytes = Buffer.byteLength(JSON.stringify(data))
    if (bytes > maxDataBytes) return fail('TOO_LARGE')
    const { volatile = false } = publication.value
    if (!volatile && !hasRoom()) return fail('REDIS_UNAVAILABLE')
    const spent = await allowance.publish(who, bytes, volatile)
    if (!spent.ok) return spent
    const publisher = who.kind === 'person' ? { from: who.user, mayBegin: () => allowance.begin(who) } : {}
    return channels.publish({ ...publication.value, channel: channel.value, ...publisher })
  }

  return {
    resolve,

    publish: async (who, input) => {
      const begunAt = performance.now()
      // What it stays without an answer, which is mostly Redis being away.
      let result = 'failed'
      try {
        const published = await publish(who, input)
        result = published.ok ? 'ok' : published.code
        return published
      } finally {
        onPublish(result, (performance.now() - begunAt) / 1_000)
      }
    },

    subscribe: async (who, input, listener, counted) => {
      const request = parseSubscribe(input)
      if (!request.ok) return request
      const channel = await permitted(who, 'follow', request.value.channel)
      if (!channel.ok) return channel
      const { since, history } = request.value
      const user = counted && who.kind === 'person' ? { user: who.user } : {}
      if ('user' in user && !hasRoom()) return fail('REDIS_UNAVAILABLE')
      const place = await allowance.follow(who)
      if (!place.ok) return place
      const following = await channels
        .follow(channel.value, { ...(since ? { since } : {}), ...(history ? { history } : {}), ...user }, listener)
        .then(
          (followed) => holding(followed, place.value),
          (error: unknown) => {
            place.value()
            throw error
          },
        )
      try {
        const own = userOf(channel.value) !== undefined
        const inbox = own ? { inbox: await channels.inbox(channel.value) } : {}
        return ok({ subscribed: { ...following.page, ...inbox }, following })
      } catch (error) {
        following.close()
        throw error
      }
    },

    read: async (who, asked, request) => {
      const channel = await permitted(who, 'follow', asked)
      return channel.ok ? ok(await channels.read(channel.value, request)) : channel
    },

    presence: async (who, input) => {
      const request = parseOfChannel(input)
      const channel = request.ok ? await permitted(who, 'follow', request.value.channel) : request
      return channel.ok ? ok(await channels.presence(channel.value)) : channel
    },

    inbox: async (who, input) => {
      const request = parseOfChannel(input)
      const channel = request.ok ? await inboxOf(who, request.value.channel) : request
      return channel.ok ? ok(await channels.inbox(channel.value)) : channel
    },

    markRead: async (who, input) => {
      const request = parseRead(input)
      if (!request.ok) return request
      const channel = await inboxOf(who, request.value.channel)
      if (channel.ok && !hasRoom()) return fail('REDIS_UNAVAILABLE')
      return channel.ok ? ok(await channels.markRead(channel.value, request.value.offset)) : channel
    },

    trim: async (who, asked, before) => {
      if (who.kind !== 'backend') return fail('FORBIDDEN')
      const channel = await permitted(who, 'publish', asked)
      return channel.ok ? ok({ trimmed: await channels.trim(channel.value, before - 1) }) : channel
    },

    end: async (who, user, sid) => {
      const channel = parseChannel(userChannel(user))
      if (!channel.ok) return channel
      if (who.kind !== 'backend' || !who.channels.some((pattern) => matches(pattern, channel.value)))
        return fail('FORBIDDEN')
      await channels.end(user, sid)
      return ok(true)
    },
  }
}
