import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import type { Metrics } from '../operate/metrics.ts'
import { isRun } from '../operate/operator-server.ts'
import { type Guest, sendAway, windowFor } from './guests.ts'

/**
 * The nginx runs through which sockets came. An nginx that ends or reloads its configuration would close all
 * of its sockets at once.
 */
export interface Proxies {
  /** Records the nginx run of a socket. */
  note(req: IncomingMessage, tcp: Duplex): void
  /** Tells all nodes to send away the sockets of this run. Rejects with RedisUnavailable. */
  leave(run: string): Promise<void>
  close(): void
}

export interface ProxiesDeps {
  redis: Pick<RedisClients, 'data' | 'keys' | 'subscriber'>
  guests: () => readonly Guest[]
  metrics: Pick<Metrics, 'drained'>
  log: Logger
}

/** nginx closes the remaining sockets after 30 s (`worker_shutdown_timeout`). */
const LONGEST_MS = 25_000
/** Interval of the checks for late sockets. */
const AGAIN_MS = 2_000

/** @param windowMs  longest window in which the sockets leave */
export const createProxies = (
  { redis, guests, metrics, log }: ProxiesDeps,
  { windowMs }: { windowMs: number },
): Proxies => {
  const { data, keys, subscriber } = redis
  const channel = keys.proxyLeaves()
  const runs = new WeakMap<Duplex, string>()
  /** The last name of a run: the sockets of one run share one string. */
  let latest = ''
  const leaving = new Set<string>()
  let isOver = false

  const sendTheirs = async (run: string, leftMs: number, isAgain: boolean): Promise<void> => {
    const theirs = guests().filter(({ tcp }) => tcp && runs.get(tcp) === run)
    if (isAgain && theirs.length === 0) return
    const window = windowFor(theirs.length, Math.min(windowMs, leftMs))
    log.info({ event: 'proxy-leaves', run, sockets: theirs.length, windowMs: Math.round(window) })
    await sendAway(theirs, window, { onEnd: () => metrics.drained.inc() })
  }
  const send = async (run: string): Promise<void> => {
    const end = performance.now() + LONGEST_MS
    for (let leftMs = LONGEST_MS, isAgain = false; leftMs > 0 && !isOver; isAgain = true) {
      await sendTheirs(run, leftMs, isAgain)
      // New sockets may have come through this run meanwhile: its workers keep listening for a moment.
      await delay(AGAIN_MS, undefined, { ref: false })
      leftMs = end - performance.now()
    }
  }
  const hear = (payload: Buffer): void => {
    const run = String(payload)
    if (!isRun(run) || leaving.has(run)) return
    leaving.add(run)
    send(run)
      .catch((error: unknown) => log.error({ err: error, event: 'proxy-leaves' }, 'sockets could not be sent away'))
      .finally(() => leaving.delete(run))
  }
  const listener = { hear }
  // The subscriber retries by itself.
  subscriber.hold(channel, listener).catch(() => {})

  return {
    note: ({ headers }, tcp) => {
      const run = headers['x-saoma-proxy']
      if (typeof run !== 'string' || !isRun(run)) return
      if (run !== latest) latest = run
      runs.set(tcp, latest)
    },
    leave: async (run) => {
      await orUnavailable(data.spublish(channel, run))
    },
    close: () => {
      isOver = true
      subscriber.release(channel, listener)
    },
  }
}
