import { setTimeout as delay } from 'node:timers/promises'
import type { Front } from '@saoma/testing'
import type { Canary } from './canary.ts'
import { createChance } from './chance.ts'
import { type FaultName, faults } from './faults.ts'
import type { Store } from './store.ts'

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
  front: Front
  store: Store
  canary: Canary
  faults: readonly FaultName[]
  /** Whether each round has an order of its own. */
  shuffles: boolean
  seed: number
  /** The channel that most people follow. */
  busiest: string
  durationMs: number
  downMs: number
  calmMs: number
  /** Milliseconds since the beginning. */
  now: () => number
  /** Whether every socket that should be is connected. */
  isWhole: () => boolean
  /** Until when all has arrived, in milliseconds since the beginning; see the ledger. */
  arrivedUntil: () => number
  onOutage: (outage: Outage) => void
}

/** What does not get green within this has not recovered. */
export const GREEN_MS = 60_000
const LOOK_MS = 100
/** From the last green to the next fault, by `calmMs`. */
const LEAST_CALM = 0.5
const MOST_CALM = 1.5
const READY_TIMEOUT_MS = 2_000

const isReady = async (internalOrigin: string): Promise<boolean> => {
  try {
    return (await fetch(`${internalOrigin}/readyz`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) })).ok
  } catch {
    return false // It does not listen yet, or not in time.
  }
}

type Looks = Readonly<Record<string, () => boolean | Promise<boolean>>>

/**
 * Looks until everything is green at one time, and writes into the outage when that was.
 *
 * @param rounds  of looks; those of a later one are had only when the earlier ones were green. What acts
 *   comes after what only looks: a login makes subscriptions, and with them a node may notice what it would
 *   have slept through
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
      // Green is what was seen, at the latest now.
      outage.greenAt = now()
      delete outage.waitedFor
      return
    }
    outage.waitedFor = red.join(', ')
    await delay(Math.max(0, begun + LOOK_MS - now()))
  }
}

/**
 * Faults in rounds, each after the one before was recovered from, until the time is over and each was had at
 * least once. The seed draws their order, the moments, and what each is done to.
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
    // Another node in each round, also where there are as many faults as nodes.
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
          // Whoever is deaf since the fault misses what is published after it.
          readers: () => options.arrivedUntil() >= outage.to,
        },
        { message: canary.message, login: canary.login },
      ],
      now,
    )
  }
  return outages
}
