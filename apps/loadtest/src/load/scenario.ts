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
  /** The worker's ledger of messages. */
  ledger: Ledger
  /** Names a login that was lost, or that gave a token of the wrong person. */
  onFault: (kind: 'lost' | 'wrong', say: string) => void
  /** Names a login whose code was used up in vain. Its time is by the clock. */
  onRescan: (rescan: Rescan) => void
}

/** One worker's share of a scenario. */
export interface Scenario {
  /** Does slow work that is not measured: obtaining tokens. Rejects with a sentence. */
  prepare(): Promise<void>
  /** Begins at a time of the clock. */
  begin(at: number): void
  /** Sockets that are connected and served, and sockets that should be. */
  readonly connected: number
  readonly wanted: number
  /** Cuts all of its connections, if the scenario can storm. */
  storm?(): void
  /** Starts nothing new. Resolves when everything that was started has ended. */
  end(): Promise<void>
  close(): void
}

export type CreateScenario = (deps: ScenarioDeps) => Scenario
