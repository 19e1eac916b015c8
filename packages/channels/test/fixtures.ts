import { randomUUID } from 'node:crypto'
import type { Presence, Result } from '@saoma/protocol'
import {
  type ChannelListener,
  type Connection,
  createRedis,
  type RedisClients,
  Subscriber,
  shardsOf,
} from '@saoma/redis'
import { onCleanup } from '@saoma/testing'
import {
  type Channels,
  type ChannelsEvent,
  type ChannelsOptions,
  createChannels,
  type Following,
  type FollowRequest,
  LogEntry,
  type Signal,
} from '../src/index.ts'

/** Far more than anything here takes: what has not come by then was lost. */
export const LONG_MS = 40_000

export const uniquePrefix = () => `test-${randomUUID()}`
let drawn = 0
/** A channel that nobody else uses. */
export const drawChannel = () => `room:${++drawn}-${randomUUID().slice(0, 8)}`
/** One that announces who comes and goes: on every node, because any may sweep. */
export const drawLoudChannel = () => drawChannel().replace(':', ':loud-')
const announces = (channel: string) => channel.startsWith('room:loud-')

export const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(`expected a value, got ${result.code}`)
  return result.value
}

/** Tells at which moment it was asked to hold a Redis channel, and at which moment Redis has confirmed it. */
export class Telling extends Subscriber {
  asked: (live: string) => void = () => {}
  held: (live: string) => void = () => {}

  override async hold(live: string, listener: ChannelListener): Promise<void> {
    this.asked(live)
    await super.hold(live, listener)
    this.held(live)
  }
}

export interface Node extends Channels {
  redis: RedisClients
  subscriber: Telling
  /** Ends its subscription in Redis, behind its back. */
  deafen(live: string): Promise<void>
  events: ChannelsEvent[]
  /** Resolves with the first event that matches, also one that has come already. */
  event(matches: (event: ChannelsEvent) => boolean): Promise<void>
}

/** Waits for what is told one by one. */
export const createTelling = <T>() => {
  const all: T[] = []
  let wake = () => {}
  return {
    all,
    tell: (item: T): void => {
      all.push(item)
      wake()
    },
    /** Resolves when `enough` says so; looks again whenever something was told. */
    until: async (enough: () => boolean): Promise<void> => {
      const late = AbortSignal.timeout(LONG_MS)
      while (!enough()) {
        await new Promise<void>((resolve, reject) => {
          wake = resolve
          late.onabort = () => reject(new Error(`still waiting after ${LONG_MS} ms, ${all.length} were told`))
        })
      }
    },
  }
}

/** One node's clients and channels, closed at the end of the file. */
export const openNode = async (url: string, prefix: string, options: Partial<ChannelsOptions> = {}): Promise<Node> => {
  const clients = await createRedis({ url, prefix })
  onCleanup(() => clients.close())
  const hearing: Connection[] = []
  const source = shardsOf({ url, name: 'test:sub', onError: () => {} }, clients.pub, (each) => hearing.push(each))
  const subscriber = new Telling(source)
  onCleanup(() => subscriber.close())
  await subscriber.ready(5_000)
  const redis = { ...clients, subscriber }
  const telling = createTelling<ChannelsEvent>()
  const channels = createChannels(redis, { nodeId: 'node', announces, ...options, onEvent: telling.tell })
  onCleanup(() => channels.close())
  const event = (matches: (event: ChannelsEvent) => boolean) => telling.until(() => telling.all.some(matches))
  // Of several shards all but the channel's own refuse.
  const deafen = async (live: string) =>
    void (await Promise.allSettled(hearing.map((connection) => connection.sunsubscribe(live))))
  return { ...channels, redis, subscriber, deafen, events: telling.all, event }
}

/** Each Redis server behind a node. */
export const serversOf = ({ data }: RedisClients): Exclude<Connection, { nodes: unknown }>[] =>
  'nodes' in data ? data.nodes('master') : [data]

/** Cuts every subscription of the whole cluster. */
export const cutSubscriptions = (redis: RedisClients) =>
  Promise.all(serversOf(redis).map((server) => server.call('CLIENT', 'KILL', 'TYPE', 'pubsub')))

export { LogEntry }

export interface Follower extends Following {
  /** Live messages in the order in which they came. */
  heard: LogEntry[]
  batches: (readonly LogEntry[])[]
  signals: Signal[]
  /** Page and live messages together, as numbers that the publisher put into `data`. */
  data(): number[]
  /** Resolves when this many live messages have come. */
  count(messages: number): Promise<void>
  signalled(signals: number): Promise<void>
}

/** Follows, and keeps what it hears; starts at once unless told otherwise. */
export const follow = async (
  channels: Channels,
  channel: string,
  request: FollowRequest = {},
  { start = true } = {},
): Promise<Follower> => {
  const telling = createTelling<readonly LogEntry[] | Signal>()
  const heard: LogEntry[] = []
  const batches: (readonly LogEntry[])[] = []
  const signals: Signal[] = []
  const following = await channels.follow(channel, request, {
    messages: (batch) => {
      heard.push(...batch)
      batches.push(batch)
      telling.tell(batch)
    },
    signal: (signal) => {
      signals.push(signal)
      telling.tell(signal)
    },
  })
  if (start) following.start()
  return {
    ...following,
    heard,
    batches,
    signals,
    data: () => [...following.page.messages, ...heard.map((kept) => kept.parse())].map(({ data }) => Number(data)),
    count: (messages) => telling.until(() => heard.length >= messages),
    signalled: (count) => telling.until(() => signals.length >= count),
  }
}

/** Reads until the channel has this many connections, or it is late: some changes come behind the caller. */
export const presenceOf = async (channels: Channels, channel: string, connections: number): Promise<Presence> => {
  const late = performance.now() + LONG_MS
  for (;;) {
    const presence = await channels.presence(channel)
    if (presence.connections === connections || performance.now() > late) return presence
  }
}

export const numbers = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i)

/** Publishes numbers one after the other, or all at once. */
export const publishNumbers = async (channels: Channels, channel: string, values: readonly number[]) => {
  const published = await Promise.all(values.map((data) => channels.publish({ channel, event: 'number', data })))
  return published.map((result) => value(result))
}

/** A small seeded source of chance (mulberry32): the same seed gives the same run. */
export const createChance = (seed: number) => {
  let state = seed
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  return { below, pick: <T>(from: readonly [T, ...T[]]): T => from[below(from.length)] ?? from[0] }
}
