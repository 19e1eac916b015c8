import type { ScenarioName } from './metric-names.ts'

/** The work of all workers together. */
export interface Plan {
  /** Origin of the tested Saoma. */
  url: string
  /** Makes the names of this run's people and messages unique among runs. */
  run: string
  scenarios: readonly ScenarioName[]
  rampMs: number
  /** Logins per second, and the phones that confirm them. */
  logins: number
  phones: number
  /** Browsers that wait for a scan. */
  browsers: number
  /** People with their own channels, and messages per second to them. */
  people: number
  messages: number
  /** Subscribers of the room, and messages per second into it. */
  subscribers: number
  broadcasts: number
  room: string
  apiKey: string
  /** Tokens of phones and people for a server without demo phones. */
  phoneTokens: readonly string[]
  tokens: readonly string[]
  /** How long an acknowledged message may take to arrive, and how long refused calls are retried. */
  patienceMs: number
}

/** The position of this worker among all workers. */
export interface Share {
  index: number
  of: number
}

/** This worker's part of a total number. */
export const shareOf = (count: number, { index, of }: Share): number =>
  Math.floor(((index + 1) * count) / of) - Math.floor((index * count) / of)

/** This worker's part of a list. */
export const partOf = <T>(list: readonly T[], { index, of }: Share): T[] => list.filter((_, i) => i % of === index)
