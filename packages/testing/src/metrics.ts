import type { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from '@saoma/redis'
import type { Gateway } from './gateway.ts'
import { request } from './request.ts'

type Server = Exclude<Connection, { nodes: unknown }>

/** Less than a test has. */
const LONGEST_MS = 40_000
/** Between two reads, so that whoever is waited for gets the processor. */
const LONGEST_PAUSE_MS = 50

/** Reads again until the value is as wanted; for what tells of itself by no event. */
export const until = async <T>(read: () => Promise<T>, isWanted: (value: T) => boolean): Promise<T> => {
  const endAt = performance.now() + LONGEST_MS
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const value = await read()
    if (isWanted(value)) return value
    if (performance.now() > endAt) throw new Error(`it never came to be so; the last was ${JSON.stringify(value)}`)
    await delay(pauseMs)
  }
}

/**
 * A connection that hears (`monitor`) all that a server does. What comes in one piece with Redis's yes is an
 * error to ioredis.
 */
export const monitorOf = async (server: Server): Promise<Server> => {
  const monitor = server.duplicate({ monitor: true, lazyConnect: false })
  monitor.on('error', () => {})
  await new Promise<void>((resolve) => monitor.once('monitoring', () => resolve()))
  return monitor
}

/** Resolves at its `close`, whatever error goes before that; `once` would reject with the error. */
export const closeOf = (emitter: EventEmitter): Promise<void> =>
  new Promise((resolve) => emitter.once('close', () => resolve()))

/** A metric without labels; NaN if there is none of that name. */
export const metricOf = async ({ internalOrigin }: Gateway, name: string): Promise<number> => {
  const { body } = await request<string>(`${internalOrigin}/metrics`)
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(body)?.[1])
}
