import { randomBytes } from 'node:crypto'
import calculateSlot from 'cluster-key-slot'
import { Cluster } from 'ioredis'
import type { Connection } from './connection.ts'
import type { Subscriber } from './subscriber.ts'

export interface ProbeOptions {
  /** Milliseconds between two echoes. */
  intervalMs: number
  /** Told when a subscription that is connected hears nothing; it is being made anew. */
  onDeaf: () => void
  /** Told of each echo, with the seconds it took. */
  onEcho: (seconds: number) => void
}

/** What the node says to itself on one channel. */
interface Echo {
  /** Said and not heard. */
  missed: number
  saidAt: number
  heardAt: number | undefined
}

/** Echoes that may be missing before the connection is given up. */
const MISSES = 3
/** Draws of a channel in one round: some for each shard, and not for ever for one that has next to no slots. */
const MOST_DRAWS = 1_000

/**
 * Finds a subscription that is connected but deaf: a half-open connection, a proxy that lost its way, a server that forgot us. Such a
 * one looks healthy from every other side. The node sends itself a message through Redis and expects to hear it. In a Redis Cluster it
 * does so on every shard, because the subscription has a connection to each.
 */
export const createProbe = (pub: Connection, subscriber: Subscriber, prefix: string, options: ProbeOptions) => {
  const echoes = new Map<string, Echo>()
  const hear = (from: string) => {
    const echo = echoes.get(from)
    if (!echo) return
    echo.missed = 0
    echo.heardAt = performance.now()
    options.onEcho((echo.heardAt - echo.saidAt) / 1_000)
  }
  subscriber.on('message', hear)
  const say = (channel: string, echo: Echo) => {
    // An echo that is late belongs to what was said first.
    if (echo.missed === 0) echo.saidAt = performance.now()
    // Counted first, so that only an echo takes it back. A publish that fails is Redis being away, not us being deaf.
    echo.missed++
    pub.spublish(channel, '').catch(() => {
      echo.missed = 0
    })
  }

  /** The master of a channel, or of all slots; one that has no name outside of a Redis Cluster. */
  const shardOf = (channel: string) => (pub instanceof Cluster ? pub.slots[calculateSlot(channel)]?.[0] : '')
  const shards = () => new Set(pub instanceof Cluster ? pub.slots.map((keys) => keys?.[0]) : [''])

  /** One echo for each shard there is now. */
  const cover = (heardAt?: number) => {
    const uncovered = shards()
    for (const channel of echoes.keys()) {
      if (uncovered.delete(shardOf(channel))) continue
      // Its slot has moved to a shard that has an echo already.
      echoes.delete(channel)
      subscriber.release(channel)
    }
    for (let draws = 0; uncovered.size > 0 && draws < MOST_DRAWS; draws++) {
      const channel = `${prefix}#probe#{${randomBytes(9).toString('base64url')}}`
      if (!uncovered.delete(shardOf(channel))) continue
      const echo = { missed: 0, saidAt: performance.now(), heardAt }
      echoes.set(channel, echo)
      // Unconfirmed holds are made good by the subscriber itself.
      subscriber.hold(channel).then(
        () => say(channel, echo),
        () => {},
      )
    }
  }
  cover()

  const forgive = () => {
    for (const echo of echoes.values()) echo.missed = 0
  }
  const timer = setInterval(() => {
    if (!subscriber.connected) return forgive()
    const deaf = [...echoes].filter(([, { missed }]) => missed >= MISSES)
    if (deaf.length > 0) {
      for (const [, echo] of deaf) echo.missed = 0
      options.onDeaf()
      subscriber.reconnect(deaf.map(([channel]) => channel))
      return
    }
    // A shard that comes later has the benefit of the doubt: the node has been ready before.
    cover(performance.now())
    for (const [channel, echo] of echoes) {
      if (subscriber.hears(channel)) say(channel, echo)
      // It is being subscribed to again, by which everybody will know.
      else echo.missed = 0
    }
  }, options.intervalMs).unref()

  return {
    /** Whether an echo is overdue. */
    isDeaf: (): boolean => [...echoes.values()].some(({ missed }) => missed > 1),
    /** Seconds since the echo that was heard longest ago; undefined before each was heard once. */
    age: (): number | undefined => {
      const heard = [...echoes.values()].map(({ heardAt }) => heardAt)
      if (heard.length === 0 || heard.includes(undefined)) return undefined
      return (performance.now() - Math.min(...heard.map(Number))) / 1_000
    },
    close: (): void => {
      clearInterval(timer)
      subscriber.off('message', hear)
    },
  }
}
