import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '@saoma/testing'
import type { Canary } from './canary.ts'
import { type FaultName, faults } from './faults.ts'

/** One fault of a run. Milliseconds since its beginning. */
export interface Outage {
  fault: FaultName | 'storm'
  /** What it was done to. */
  what: string
  from: number
  to: number
  /** When all was green again; undefined when it was not in time. */
  greenAt?: number
  /** What was still not green at the last look. */
  waitedFor?: string
}

export interface ChaosOptions {
  cluster: Cluster
  canary: Canary
  faults: readonly FaultName[]
  durationMs: number
  downMs: number
  calmMs: number
  /** Milliseconds since the beginning. */
  now: () => number
  /** Whether every socket that should be is connected. */
  isWhole: () => boolean
  onOutage: (outage: Outage) => void
}

/** What does not get green within this has not recovered. */
const GREEN_MS = 60_000
const LOOK_MS = 100
const READY_TIMEOUT_MS = 2_000

const isReady = async (internalOrigin: string): Promise<boolean> => {
  try {
    return (await fetch(`${internalOrigin}/readyz`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) })).ok
  } catch {
    return false // It does not listen yet, or not in time.
  }
}

/** Looks until everything is green at one time, and writes into the outage when that was. */
export const awaitGreen = async (
  outage: Outage,
  looks: Readonly<Record<string, () => boolean | Promise<boolean>>>,
  now: () => number,
): Promise<void> => {
  while (now() < outage.to + GREEN_MS) {
    const begun = now()
    const names = Object.keys(looks)
    const seen = await Promise.all(Object.values(looks).map((look) => look()))
    const red = names.filter((_, i) => !seen[i])
    if (red.length === 0) {
      // Green is what was seen, at the latest now.
      outage.greenAt = now()
      delete outage.waitedFor
      return
    }
    outage.waitedFor = red.join(', ')
    await delay(Math.max(0, begun + LOOK_MS - now()))
  }
}

/** Faults in turn, each after the one before was recovered from, until the time is over and each was had at least once. */
export const runChaos = async (options: ChaosOptions): Promise<Outage[]> => {
  const { cluster, canary, now } = options
  const outages: Outage[] = []
  const endAt = now() + options.durationMs
  for (let turn = 0; turn < options.faults.length || now() < endAt; turn++) {
    await delay(options.calmMs)
    const fault = options.faults[turn % options.faults.length]
    if (!fault) break
    const outage: Outage = { fault, what: '', from: now(), to: Number.POSITIVE_INFINITY }
    outages.push(outage)
    options.onOutage(outage)
    // Another node in each round, also where there are as many faults as nodes.
    const round = Math.floor(turn / options.faults.length)
    outage.what = await faults[fault](cluster, turn + round, options.downMs)
    outage.to = now()
    await awaitGreen(
      outage,
      {
        sockets: options.isWhole,
        ...Object.fromEntries(cluster.nodes.map((node) => [`node ${node.id}`, () => isReady(node.internalOrigin)])),
        login: canary.login,
        message: canary.message,
      },
      now,
    )
  }
  return outages
}
