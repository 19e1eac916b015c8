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
import { matches, type Policy, type Principal } from './principal.ts'

export interface LiveDeps {
  channels: Channels
  policy: Policy
}

export interface LiveOptions {
  /** Most bytes that the JSON of a message's data may have. */
  maxDataBytes: number
  /** Told of each publication: `ok`, why not, or `failed`, and the seconds from the question to the answer. */
  onPublish: (result: string, seconds: number) => void
}

export interface Subscription {
  subscribed: Subscribed
  following: Following
}

/**
 * What people and backends do with channels, the same on every door: each call reads its request, asks the policy and then the
 * channels. Rejects with RedisUnavailable when Redis cannot be asked.
 */
export interface Live {
  /** A channel's full name: `@user` is the asker's own. INVALID for anything that is no channel. */
  resolve(who: Principal, asked: unknown): Result<string>
  publish(who: Principal, publication: unknown): Promise<Result<Published>>
  /** Follows a channel. `counted` makes the person present in it. Call `following.start()` when the page has been sent. */
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

export const createLive = ({ channels, policy }: LiveDeps, { maxDataBytes, onPublish }: LiveOptions): Live => {
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
    if (Buffer.byteLength(JSON.stringify(data)) > maxDataBytes) return fail('TOO_LARGE')
    const from = who.kind === 'person' ? { from: who.user } : {}
    return channels.publish({ ...publication.value, channel: channel.value, ...from })
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
      const following = await channels.follow(
        channel.value,
        {
          ...(since ? { since } : {}),
          ...(history ? { history } : {}),
          ...(counted && who.kind === 'person' ? { user: who.user } : {}),
        },
        listener,
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
