import type { ScenarioName } from './metric-names.ts'

/** What is to be done, by all workers together. */
export interface Plan {
  /** Origin of the Saoma under test. */
  url: string
  /** Makes the names of this run's people and messages different from those of every other run. */
  run: string
  scenarios: readonly ScenarioName[]
  rampMs: number
  /** Logins a second, and the phones that confirm them. */
  logins: number
  phones: number
  /** Browsers that wait in front of a code. */
  browsers: number
  /** People with a channel of their own, and messages to them, a second. */
  people: number
  messages: number
  /** Readers of the room, and messages into it, a second. */
  subscribers: number
  broadcasts: number
  room: string
  apiKey: string
  /** Tokens of phones and of people, where there are no demo phones to make them. */
  phoneTokens: readonly string[]
  tokens: readonly string[]
  /** How long something acknowledged may take to arrive, and something refused to be tried again. */
  patienceMs: number
}

/** Which of the workers this is. */
export interface Share {
  index: number
  of: number
}

/** This worker's part of a number that all workers make up together. */
export const shareOf = (count: number, { index, of }: Share): number =>
  Math.floor(((index + 1) * count) / of) - Math.floor((index * count) / of)

/** This worker's part of a list. */
export const partOf = <T>(list: readonly T[], { index, of }: Share): T[] => list.filter((_, i) => i % of === index)
