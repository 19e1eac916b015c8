import type { Finding } from './finding.ts'
import { error, ok, time, warning } from './findings.ts'

const PINGS = 20
/** A login takes some ten round trips, one after the other. */
const SLOW_MS = 5
const BAD_MS = 100

/** Judges round trips to a Redis, in milliseconds. */
export const judgeLatency = (where: string, trips: readonly number[]): Finding => {
  const sorted = [...trips].sort((a, b) => a - b)
  const [median, worst] = [sorted[Math.floor((sorted.length - 1) / 2)] ?? 0, sorted.at(-1) ?? 0]
  const says = `A round trip to Redis at ${where} takes ${time(median)} (median of ${trips.length}; the worst took ${time(worst)})`
  const todo = 'Run nodes and Redis in one data centre. If this machine is elsewhere, look from the machine of a node.'
  if (median > BAD_MS) return error('redis-latency', `${says}: too long for logins.`, todo)
  if (median > SLOW_MS) return warning('redis-latency', `${says}: every request waits several times as long.`, todo)
  return ok('redis-latency', `${says}.`)
}

/** Measures round trips, one after the other. */
export const measureTrips = async (ping: () => Promise<unknown>): Promise<number[]> => {
  const trips: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const sentAt = performance.now()
    await ping()
    trips.push(performance.now() - sentAt)
  }
  return trips
}
