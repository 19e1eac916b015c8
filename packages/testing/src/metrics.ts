import type { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from '@saoma/redis'
import type { Gateway } from './gateway.ts'
import { request } from './request.ts'

type Server = Exclude<Connection, { nodes: unknown }>

/** Less than a test's timeout. */
const LONGEST_MS = 40_000
/** Pause between two reads, so that the observed process gets the processor. */
const LONGEST_PAUSE_MS = 50

/** Reads repeatedly until the value is as wanted. For state that no event reports. */
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
 * A connection that monitors all commands of a server. If output arrives together with Redis's OK, ioredis
 * reports an error; it is ignored.
 */
export const monitorOf = async (server: Server): Promise<Server> => {
  const monitor = server.duplicate({ monitor: true, lazyConnect: false })
  monitor.on('error', () => {})
  await new Promise<void>((resolve) => monitor.once('monitoring', () => resolve()))
  return monitor
}

/** Resolves at `close`, even after an error; `once` would reject with that error. */
export const closeOf = (emitter: EventEmitter): Promise<void> =>
  new Promise((resolve) => emitter.once('close', () => resolve()))

/** Value of a metric without labels; NaN if there is no such metric. */
export const metricOf = async ({ internalOrigin }: Gateway, name: string): Promise<number> => {
  const { body } = await request<string>(`${internalOrigin}/metrics`)
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(body)?.[1])
}
