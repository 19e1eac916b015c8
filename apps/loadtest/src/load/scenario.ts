import type { Clock } from './clock.ts'
import type { Ledger } from './ledger.ts'
import type { Network } from './network.ts'
import type { Plan, Share } from './plan.ts'
import type { Recorder } from './recorder.ts'
import type { Rescan } from './rescans.ts'

export interface ScenarioDeps {
  plan: Plan
  share: Share
  clock: Clock
  recorder: Recorder
  network: Network
  /** The worker's books about messages. */
  ledger: Ledger
  /** Names something that was lost or went to the wrong person and that is no message. */
  onFault: (kind: 'lost' | 'wrong', say: string) => void
  /** Names a login whose code was used up for nothing, by the clock. */
  onRescan: (rescan: Rescan) => void
}

/** One worker's share of a scenario. */
export interface Scenario {
  /** What takes time and is not measured: tokens. Rejects with a sentence. */
  prepare(): Promise<void>
  /** Begins, at a time of the clock. */
  begin(at: number): void
  /** Sockets that are connected and served, and that should be. */
  readonly connected: number
  readonly wanted: number
  /** Cuts all of its connections, if it is one that storms. */
  storm?(): void
  /** Begins nothing more; resolves when what was begun has ended. */
  end(): Promise<void>
  close(): void
}

export type CreateScenario = (deps: ScenarioDeps) => Scenario
