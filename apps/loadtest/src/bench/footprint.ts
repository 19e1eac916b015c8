import { setTimeout as delay } from 'node:timers/promises'
import { startChild } from './child.ts'
import { costOf } from './cpu.ts'
import type { CrowdAnswer, CrowdOrder, Opening } from './crowd.ts'
import { HEARTBEAT_MS } from './heartbeat.ts'
import { batches, sum } from './numbers.ts'

/** Memory of one server process, in KB. */
export interface Memory {
  /** Resident, as the operating system counts it. */
  rss: number
  /** Used part of V8's heap. */
  heap: number
}

export interface Footprint {
  /** With no sockets. */
  empty: Memory
  /** With all sockets. */
  full: Memory
  perSocket: Memory
  /** CPU of the server process for each socket, in microseconds. */
  cpu: {
    /** From a socket's handshake until the server serves it. */
    connect: number
    /** One heartbeat, and whatever else the server does between two heartbeats. */
    heartbeat: number
  }
}

export interface Subject extends Omit<Opening, 'origin'> {
  /** The server process. */
  pid: number
  /** Memory when the server is idle. */
  measure(): Promise<Memory>
  /** Called while all clients are connected. */
  whileFull?(): Promise<void>
}

/** Origin of the clients' pages. */
export const ORIGIN = 'http://bench.localhost'
/** Clients of one order to the crowd, which has to answer within a minute. */
const AN_ORDER = 2_000
/** Lets the last handshakes finish. */
const QUIET_MS = 2_000

/** What the clients of a crowd cost their server. */
export const takeFootprint = async ({ pid, url, dialogue, names, measure, whileFull }: Subject): Promise<Footprint> => {
  const crowd = await startChild<CrowdOrder, CrowdAnswer>('./crowd.ts', [dialogue])
  const empty = await measure()
  const cost = async (act: () => Promise<unknown>) => sum(await costOf([pid], act)) / names.length
  const connect = await cost(async () => {
    for (const part of batches(names, AN_ORDER))
      await crowd.ask({ do: 'open', url, origin: ORIGIN, dialogue, names: part })
  })
  await delay(QUIET_MS)
  const full = await measure()
  await whileFull?.()
  // In this time each socket has exactly one heartbeat.
  const heartbeat = await cost(() => delay(HEARTBEAT_MS))
  const { open } = await crowd.ask({ do: 'count' })
  if (open < names.length) throw new Error(`${names.length - open} of ${names.length} clients were lost meanwhile`)
  await crowd.stop()
  const per = (name: keyof Memory) => (full[name] - empty[name]) / names.length
  return { empty, full, perSocket: { rss: per('rss'), heap: per('heap') }, cpu: { connect, heartbeat } }
}
