import { randomBytes } from 'node:crypto'
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

/** Echoes that may be missing before the connection is given up. */
const MISSES = 3

/**
 * Finds a subscription that is connected but deaf: a half-open connection, a proxy that lost its way, a server that forgot us. Such a
 * one looks healthy from every other side. The node sends itself a message through Redis and expects to hear it.
 *
 * In a Redis Cluster it watches the shard that its channel belongs to.
 */
export const createProbe = (pub: Connection, subscriber: Subscriber, prefix: string, options: ProbeOptions) => {
  const channel = `${prefix}#probe#{${randomBytes(9).toString('base64url')}}`
  let missed = 0
  let saidAt = performance.now()
  let heardAt: number | undefined
  const hear = (from: string) => {
    if (from !== channel) return
    missed = 0
    heardAt = performance.now()
    options.onEcho((heardAt - saidAt) / 1_000)
  }
  subscriber.on('message', hear)
  const say = () => {
    // An echo that is late belongs to what was said first.
    if (missed === 0) saidAt = performance.now()
    // Counted first, so that only an echo takes it back. A publish that fails is Redis being away, not us being deaf.
    missed++
    pub.spublish(channel, '').catch(() => {
      missed = 0
    })
  }
  // Unconfirmed holds are made good by the subscriber itself.
  subscriber.hold(channel).then(say, () => {})

  const timer = setInterval(() => {
    if (!subscriber.connected) {
      missed = 0
      return
    }
    if (missed >= MISSES) {
      missed = 0
      options.onDeaf()
      subscriber.reconnect()
      return
    }
    say()
  }, options.intervalMs).unref()

  return {
    /** Whether the last echo is overdue. */
    isDeaf: (): boolean => missed > 1,
    /** Seconds since the last echo; undefined before the first. */
    age: (): number | undefined => heardAt && (performance.now() - heardAt) / 1_000,
    close: (): void => {
      clearInterval(timer)
      subscriber.off('message', hear)
    },
  }
}
