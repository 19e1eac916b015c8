import { setTimeout as delay } from 'node:timers/promises'
import type { Front } from '@saoma/testing'
import type { Canary } from './canary.ts'
import { createChance } from './chance.ts'
import { type FaultName, faults } from './faults.ts'
import type { Store } from './store.ts'

/** One fault of a run. Times are milliseconds since the beginning of the run. */
export interface Outage {
  fault: FaultName | 'storm'
  /** The target of the fault. */
  what: string
  from: number
  to: number
  /** When everything was green again; undefined if that took too long. */
  greenAt?: number
  /** What was still not green at the last check. */
  waitedFor?: string
}

export interface ChaosOptions {
  front: Front
  store: Store
  canary: Canary
  faults: readonly FaultName[]
  /** Whether the faults are shuffled in each round. */
  shuffles: boolean
  seed: number
  /** The channel that most people follow. */
  busiest: string
  durationMs: number
  downMs: number
  calmMs: number
  /** Milliseconds since the beginning of the run. */
  now: () => number
  /** Whether all sockets are connected that should be. */
  isWhole: () => boolean
  /** All messages up to this time have arrived, in milliseconds since the beginning; see the ledger. */
  arrivedUntil: () => number
  onOutage: (outage: Outage) => void
}

/** The limit for recovery. A fault that takes longer to get green counts as not recovered. */
export const GREEN_MS = 60_000
const LOOK_MS = 100
/** Pause from the last green to the next fault, as a multiple of `calmMs`. */
const LEAST_CALM = 0.5
const MOST_CALM = 1.5
const READY_TIMEOUT_MS = 2_000

const isReady = async (internalOrigin: string): Promise<boolean> => {
  try {
    return (await fetch(`${internalOrigin}/readyz`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) })).ok
  } catch {
    return false // The node does not listen yet, or answered too late.
  }
}

type Looks = Readonly<Record<string, () => boolean | Promise<boolean>>>

/**
 * Repeats the checks until all are green at the same time, and records that time in the outage.
 *
 * @param rounds  of checks. A later round runs only when all earlier rounds are green. Passive checks come
 *   first: an active check could hide a fault. A login makes subscriptions, for example, and they may wake a
 *   node that would otherwise not notice the fault.
 */
export const awaitGreen = async (outage: Outage, rounds: readonly Looks[], now: () => number): Promise<void> => {
  const firstRed = async (): Promise<string[]> => {
    for (const looks of rounds) {
      const seen = await Promise.all(Object.values(looks).map((look) => look()))
      const red = Object.keys(looks).filter((_, i) => !seen[i])
      if (red.length > 0) return red
    }
    return []
  }
  while (now() < outage.to + GREEN_MS) {
    const begun = now()
    const red = await firstRed()
    if (red.length === 0) {
      // The time after the checks: the cluster was green no later than this.
      outage.greenAt = now()
      delete outage.waitedFor
      return
    }
    outage.waitedFor = red.join(', ')
    await delay(Math.max(0, begun + LOOK_MS - now()))
  }
}

/**
 * Runs faults in rounds, each after the recovery from the one before. Ends when the time is over and each
 * fault has occurred at least once. The seed determines their order, times and targets.
 */
export const runChaos = async (options: ChaosOptions): Promise<Outage[]> => {
  const { front, store, canary, now, durationMs, downMs, calmMs, busiest } = options
  const chance = createChance(options.seed)
  const outages: Outage[] = []
  const endAt = now() + durationMs
  let round: FaultName[] = []
  for (let turn = 0; turn < options.faults.length || now() < endAt; turn++) {
    if (turn % options.faults.length === 0)
      round = options.shuffles ? chance.shuffled(options.faults) : [...options.faults]
    const fault = round[turn % options.faults.length]
    if (!fault) break
    await delay(chance.between(calmMs * LEAST_CALM, calmMs * MOST_CALM))
    const outage: Outage = { fault, what: '', from: now(), to: Number.POSITIVE_INFINITY }
    outages.push(outage)
    options.onOutage(outage)
    // Shifts the node in each round, so that a fault meets another node even if there are as many faults as
    // nodes.
    const nodeTurn = turn + Math.floor(turn / options.faults.length)
    const scene = {
      nodes: front.nodes,
      nginx: front.nginx,
      store,
      chance: chance.fork(),
      turn: nodeTurn,
      downMs,
      busiest,
    }
    outage.what = await faults[fault].act(scene)
    outage.to = now()
    await awaitGreen(
      outage,
      [
        {
          sockets: options.isWhole,
          ...Object.fromEntries(front.nodes.map((node) => [`node ${node.id}`, () => isReady(node.internalOrigin)])),
          // A reader that the fault has made deaf misses what is published after it.
          readers: () => options.arrivedUntil() >= outage.to,
        },
        { message: canary.message, login: canary.login },
      ],
      now,
    )
  }
  return outages
}
