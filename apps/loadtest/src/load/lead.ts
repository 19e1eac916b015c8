import { setTimeout as delay } from 'node:timers/promises'
import type { Account } from './account.ts'
import { createClock } from './clock.ts'
import type { Acknowledged } from './ledger.ts'
import type { Plan } from './plan.ts'
import type { Meeting } from './rendezvous.ts'
import type { Rescan } from './rescans.ts'
import { createTimeline, type Timeline } from './timeline.ts'
import type { Said } from './worker-messages.ts'

export interface LeadOptions {
  plan: Plan
  machines: number
  /** Called when the load is on. The run ends when this resolves. */
  during: (run: Underway) => Promise<void>
  say: (sentence: string) => void
}

/** A run whose load is on. */
export interface Underway {
  timeline: Timeline
  /** Milliseconds since the beginning. */
  now(): number
  /**
   * Connected sockets and expected sockets, over all workers, and the time up to which everything has arrived
   * (see the ledger).
   */
  crowd(): Crowd
  storm(): Promise<void>
}

export interface Crowd {
  connected: number
  wanted: number
  arrivedUntil: number
}

export interface Led {
  timeline: Timeline
  accounts: Account[]
  rescans: Rescan[]
  workers: number
  startedAt: Date
  /** From the beginning until nothing new started. */
  lastedMs: number
}

/** Time for machines to join and to obtain their tokens. */
const JOIN_MS = 120_000
const PREPARE_MS = 300_000
/** A worker that has been silent for this long counts as lost. */
const SILENCE_MS = 20_000
const LISTEN_MS = 500
/** Lets the last message reach every worker before the load begins. */
const HEAD_START_MS = 300
/** Time on top of the workers' patience with what is still running. */
const END_MS = 30_000

/**
 * Leads all workers of all machines through one run. Rejects with a sentence when a worker fails or is lost.
 */
export const lead = async (meeting: Meeting, { plan, machines, during, say }: LeadOptions): Promise<Led> => {
  const clock = await createClock(meeting.redis)
  const heardAt = new Map<string, number>()
  const joined = new Map<string, { machine: string; workers: number }>()
  const crowds = new Map<string, Crowd>()
  const done = new Map<Said['did'], Set<string>>()
  const told: (readonly Acknowledged[])[] = []
  const accounts: Account[] = []
  const rescans: Rescan[] = []
  let timeline: Timeline | undefined
  let workers: readonly string[] = []

  const take = (said: Said) => {
    // A surplus machine. It notices that itself.
    if (workers.length > 0 && !workers.includes(said.worker)) return
    heardAt.set(said.worker, Date.now())
    const who = done.get(said.did) ?? new Set()
    done.set(said.did, who.add(said.worker))
    switch (said.did) {
      case 'join':
        return joined.set(said.worker, said)
      case 'slice':
        return timeline?.take(said.slice)
      case 'crowd':
        return crowds.set(said.worker, {
          connected: said.connected,
          wanted: said.wanted,
          arrivedUntil: said.arrivedUntil ?? Number.POSITIVE_INFINITY,
        })
      case 'end':
        return told.push(said.told)
      case 'settle':
        rescans.push(...said.rescans)
        return accounts.push(said.account)
      case 'fail':
        throw new Error(said.message)
    }
  }

  /** Reads messages of the workers until `isEnough`. */
  const hear = async (isEnough: () => boolean, withinMs: number, late: () => string): Promise<void> => {
    const until = Date.now() + withinMs
    while (!isEnough()) {
      if (Date.now() > until) throw new Error(late())
      const said = await meeting.said.next(LISTEN_MS)
      if (said) take(said)
    }
  }

  const here = () => new Set([...joined.values()].map(({ machine }) => machine))
  const expected = () => {
    const byMachine = new Map([...joined.values()].map(({ machine, workers }) => [machine, workers]))
    return [...byMachine.values()].reduce((sum, workers) => sum + workers, 0)
  }
  await hear(
    () => here().size >= machines && joined.size === expected(),
    JOIN_MS,
    () => `${here().size} of ${machines} machines came within ${JOIN_MS / 1_000} s`,
  )
  workers = [...joined.keys()].sort()
  const all = (did: Said['did']) => () => (done.get(did)?.size ?? 0) === workers.length
  const missing = (did: Said['did']) => workers.filter((worker) => !done.get(did)?.has(worker)).join(', ')

  say(`${workers.length} worker(s) on ${here().size} machine(s) are preparing.`)
  await meeting.told.write({ do: 'prepare', plan, workers })
  await hear(all('prepare'), PREPARE_MS, () => `not ready within ${PREPARE_MS / 1_000} s: ${missing('prepare')}`)

  const at = clock.now() + HEAD_START_MS
  const startedAt = new Date()
  timeline = createTimeline({ workers: workers.length, rampSeconds: plan.rampMs / 1_000 })
  await meeting.told.write({ do: 'begin', at })

  let over = false
  const sum = (what: 'connected' | 'wanted') => [...crowds.values()].reduce((total, crowd) => total + crowd[what], 0)
  const running = during({
    timeline,
    now: () => clock.now() - at,
    crowd: () => ({
      connected: sum('connected'),
      wanted: sum('wanted'),
      arrivedUntil: Math.min(...[...crowds.values()].map(({ arrivedUntil }) => arrivedUntil)),
    }),
    storm: () => {
      // After a storm no socket counts as connected until the workers report it again.
      for (const crowd of crowds.values()) crowd.connected = 0
      return meeting.told.write({ do: 'storm' })
    },
  }).finally(() => {
    over = true
  })
  // The code below awaits it and handles its failure.
  running.catch(() => {})
  for (const worker of workers) heardAt.set(worker, Date.now() + HEAD_START_MS)
  while (!over) {
    const said = await meeting.said.next(LISTEN_MS)
    if (said) take(said)
    const silent = workers.filter((worker) => (heardAt.get(worker) ?? 0) < Date.now() - SILENCE_MS)
    if (silent.length > 0) throw new Error(`no message for ${SILENCE_MS / 1_000} s from ${silent.join(', ')}`)
    // Queued messages must not hold up the timers of this process.
    await delay(0)
  }
  await running
  const lastedMs = clock.now() - at

  const patienceMs = plan.patienceMs + END_MS
  await meeting.told.write({ do: 'end' })
  await hear(
    all('end'),
    patienceMs,
    () => `did not finish what was running within ${patienceMs / 1_000} s: ${missing('end')}`,
  )
  await meeting.told.write({ do: 'settle', told })
  await hear(
    all('settle'),
    patienceMs,
    () => `did not close the books within ${patienceMs / 1_000} s: ${missing('settle')}`,
  )
  timeline.end()
  return { timeline, accounts, rescans, workers: workers.length, startedAt, lastedMs }
}
