import type { Presence } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import pMap from 'p-map'
import { backOff } from './backoff.ts'
import type { ChannelsEvent } from './event.ts'
import { assertChannelName } from './log.ts'
import { createNodeLiveness } from './node-liveness.ts'
import { scripts } from './scripts.ts'

const MOST_USERS = 1_000
/** People per call. */
const BATCH = 500
/** Channels updated at the same time when all of them are updated. */
const AT_ONCE = 100

export interface PresenceOptions {
  nodeId: string
  beatMs: number
  announces: (channel: string) => boolean
  onEvent: (event: ChannelsEvent) => void
}

interface Waiting {
  resolve: () => void
  reject: (error: unknown) => void
}

interface News {
  /** People whose number Redis does not know yet, with the callers that wait for it. */
  untold: Map<string, Waiting[]>
  /** New people among them: Redis does not have them under this node. */
  fresh: Set<string>
}

/** This node's people in one channel. */
interface Room {
  /** Connections per person. */
  connections: Map<string, number>
  /** What Redis does not know yet. Absent when it knows all, as in most rooms at most times. */
  news: News | undefined
  /** The node name under which Redis lists this channel; empty if it is not listed. */
  listedAs: string
  telling: boolean
}

/** What feeds report of their followers. */
export interface PresenceCounts {
  /** This node's present name. */
  readonly node: string
  /** Resolves when the connection is counted. Rejects, and does not count it, when Redis is unavailable. */
  add(channel: string, user: string): Promise<void>
  remove(channel: string, user: string): void
  /** Updates Redis again if its count of this node's people in the channel differs. */
  compare(channel: string, people: number): void
}

/**
 * Presence: people per channel, counted per node and summed in Redis. A node reports absolute numbers of
 * connections per person, never differences, so every call may be repeated. Calls for one channel run one at
 * a time.
 */
export const createPresence = (redis: RedisClients, { nodeId, beatMs, announces, onEvent }: PresenceOptions) => {
  const { data, keys } = redis
  const rooms = new Map<string, Room>()
  const closing = new AbortController()
  const closed = new Error('the channels of this node are closed')

  const failed = (error: unknown) => onEvent({ kind: 'error', error })
  const roomOf = (channel: string): Room => {
    const room = rooms.get(channel) ?? {
      connections: new Map(),
      news: undefined,
      listedAs: '',
      telling: false,
    }
    rooms.set(channel, room)
    return room
  }
  const newsOf = (room: Room): News => {
    room.news ??= { untold: new Map(), fresh: new Set() }
    return room.news
  }
  const restore = (channel: string, room: Room): Promise<void> => {
    const { untold } = newsOf(room)
    for (const user of room.connections.keys()) if (!untold.has(user)) untold.set(user, [])
    return tell(channel, room)
  }

  /** Retries until it succeeds or this node closes. */
  const persist = async (act: () => Promise<void>): Promise<void> => {
    for (let attempt = 0; !closing.signal.aborted; ) {
      try {
        return await act()
      } catch (error) {
        failed(error)
        await backOff(attempt++, closing.signal)
      }
    }
  }

  const liveness = createNodeLiveness(redis, {
    nodeId,
    beatMs,
    announces,
    onEvent,
    onRenamed: (former) => {
      void pMap(
        rooms,
        async ([channel, room]) => {
          await restore(channel, room)
          // A call under the former name may have arrived after the sweep. Sweep once more now.
          await persist(() => liveness.take(channel, former))
        },
        { concurrency: AT_ONCE },
      )
    },
  })

  /**
   * Lists the channel before its people: a listed channel without people is harmless, but people in an
   * unlisted channel would never be swept.
   */
  const list = async (channel: string, room: Room, { untold, fresh }: News, node: string) => {
    if (room.listedAs === node) return
    // A full Redis must not list a channel only for new people, either.
    const say = untold.size > fresh.size ? scripts.registerAgain : scripts.register
    await say(data, [keys.nodeChannels(node)], [channel])
    room.listedAs = node
  }
  const unlist = async (channel: string, room: Room) => {
    const node = room.listedAs
    room.listedAs = ''
    // If this fails, it stays listed.
    if (node !== '') await orUnavailable(data.srem(keys.nodeChannels(node), channel)).catch(failed)
  }

  const tellSome = async (channel: string, room: Room, news: News) => {
    const { untold, fresh } = news
    await liveness.held()
    const node = liveness.node
    await list(channel, room, news, node)
    closing.signal.throwIfAborted()
    if (liveness.node !== node) return
    // Known people and leavers are sent in calls of their own: a full Redis accepts no others.
    const all = [...untold.keys()]
    const old = all.filter((user) => !fresh.has(user))
    const users = (old.length > 0 ? old : all).slice(0, BATCH)
    const say = old.length > 0 ? scripts.setPresenceAgain : scripts.setPresence
    const waiting = users.flatMap((user) => untold.get(user) ?? [])
    const told = users.flatMap((user) => [user, room.connections.get(user) ?? 0])
    for (const user of users) untold.delete(user)
    try {
      await say(
        data,
        [keys.channelPeople(channel), keys.channelPeopleOf(channel, node), keys.channelPubsub(channel)],
        [announces(channel) ? 1 : 0, ...told],
      )
    } catch (error) {
      for (const user of users) if (!untold.has(user)) untold.set(user, [])
      for (const { reject } of waiting) reject(error)
      throw error
    }
    for (const user of users) if (!untold.has(user)) fresh.delete(user)
    for (const { resolve } of waiting) resolve()
  }

  const rejectAll = (room: Room, error: unknown) => {
    for (const [user, waiting] of room.news?.untold ?? []) {
      room.news?.untold.set(user, [])
      for (const { reject } of waiting) reject(error)
    }
  }

  const tell = async (channel: string, room: Room) => {
    if (room.telling) return
    room.telling = true
    for (let attempt = 0; !closing.signal.aborted; ) {
      try {
        while (room.news && room.news.untold.size > 0) await tellSome(channel, room, room.news)
        room.news = undefined
        attempt = 0
        if (room.connections.size > 0) break
        await unlist(channel, room)
        if (room.connections.size === 0 && !room.news) {
          rooms.delete(channel)
          break
        }
      } catch (error) {
        rejectAll(room, error)
        if (closing.signal.aborted) return
        failed(error)
        await backOff(attempt++, closing.signal)
      }
    }
    room.telling = false
  }

  const change = (channel: string, user: string, by: 1 | -1): { room: Room; waiting: Waiting[] } => {
    const room = roomOf(channel)
    const { untold, fresh } = newsOf(room)
    const before = room.connections.get(user) ?? 0
    if (before === 0 && by > 0) fresh.add(user)
    if (before + by > 0) room.connections.set(user, before + by)
    else {
      room.connections.delete(user)
      fresh.delete(user)
    }
    const waiting = untold.get(user) ?? []
    untold.set(user, waiting)
    return { room, waiting }
  }

  const remove = (channel: string, user: string) => {
    if (closing.signal.aborted) return
    void tell(channel, change(channel, user, -1).room)
  }

  return {
    get node() {
      return liveness.node
    },

    add: async (channel: string, user: string): Promise<void> => {
      if (user === '') throw new TypeError('presence needs the id of a person')
      closing.signal.throwIfAborted()
      const { room, waiting } = change(channel, user, 1)
      const counted = new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
      void tell(channel, room)
      try {
        await counted
      } catch (error) {
        remove(channel, user)
        throw error
      }
    },

    remove,

    compare: (channel: string, people: number): void => {
      const room = rooms.get(channel)
      if (room && !room.telling && room.connections.size !== people) void restore(channel, room)
    },

    /** Who follows the channel, on all nodes. */
    read: async (channel: string): Promise<Presence> => ({
      channel,
      ...(await scripts.people(data, [keys.channelPeople(assertChannelName(channel))], [MOST_USERS])),
    }),

    /** Removes this node's people. If Redis is unavailable, another node sweeps them. */
    close: async (): Promise<void> => {
      closing.abort(closed)
      const { node } = liveness
      try {
        for (const room of rooms.values()) rejectAll(room, closed)
        await pMap(rooms.keys(), (channel) => liveness.take(channel, node), { concurrency: AT_ONCE })
        await liveness.close()
      } catch (error) {
        liveness.stop()
        failed(error)
      }
      rooms.clear()
    },
  }
}
