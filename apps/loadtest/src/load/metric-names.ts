/** The metrics of a run: the names that `--expect` accepts and that the reports show. */

export type ScenarioName = 'login' | 'idle' | 'inbox' | 'fanout'

/** Times, each with its description. */
export const timings = {
  login: 'from the moment a login was due to its tokens',
  create: 'from the moment a code was due to its arrival',
  watch: 'from the code to a browser that watches it over a socket',
  scan: 'from sending a scan to its arrival at the browser',
  confirm: 'from sending a confirmation to its arrival at the browser',
  redeem: 'from the arrival of the confirmation to the tokens',
  connect: 'from dialling to a socket in its namespace',
  publish: 'from the moment a message to one person was due to its acknowledgement',
  deliver: 'from the moment a message to one person was due to its arrival',
  read: 'from marking a message as read to its acknowledgement',
  broadcast: 'from the moment a message to the room was due to its acknowledgement',
  fanout: 'from the moment a message to the room was due to its arrival, at each subscriber',
  late: 'how late the load tester itself began what was due',
} as const
export type Timing = keyof typeof timings

/** Counters, each with its description. */
export const counters = {
  lost: 'acknowledged messages that a reader never got, and confirmed logins without tokens',
  duplicated: 'messages that arrived or were stored more than once',
  disordered: 'messages that arrived after a later one',
  wrong: 'logins and messages that reached somebody else',
  errors: 'logins, messages and browsers that were given up',
  refused: 'requests and handshakes that were refused or broke, and were tried again',
  limited: 'of those, refused by a rate limit (429)',
  rescans: 'logins whose code was used up by a dying node or Redis: the person scans again',
  logins: 'logins that were completed',
  published: 'messages that were acknowledged',
  received: 'messages that arrived',
  renewed: 'codes that expired while a browser waited, and were renewed',
  reconnects: 'lost connections that were reopened',
} as const
export type Counter = keyof typeof counters

/** Other metrics. */
export const others = {
  'connected.max': 'most sockets connected at one time',
  'connected.min': 'fewest sockets connected in a second after the ramp',
  'recovery.max': 'longest time from the end of a fault until all was green',
  'recovery.mean': 'mean of those times',
  'recovery.never': 'faults after which all was not green within a minute',
} as const

const timingsOf: Readonly<Record<ScenarioName, readonly Timing[]>> = {
  login: ['login', 'create', 'watch', 'scan', 'confirm', 'redeem', 'late'],
  idle: ['create', 'connect', 'watch', 'late'],
  inbox: ['publish', 'deliver', 'read', 'late'],
  fanout: ['broadcast', 'fanout', 'late'],
}

const ofMessages: readonly Counter[] = [
  'lost',
  'duplicated',
  'disordered',
  'wrong',
  'errors',
  'refused',
  'limited',
  'published',
  'received',
  'reconnects',
]

const countersOf: Readonly<Record<ScenarioName, readonly Counter[]>> = {
  login: ['lost', 'wrong', 'errors', 'refused', 'limited', 'rescans', 'logins'],
  idle: ['errors', 'refused', 'limited', 'renewed', 'reconnects'],
  inbox: ofMessages,
  fanout: ofMessages,
}

/** Statistics of a time. `p` takes any percentile: p50, p99.9. */
export const statistics = ['p50', 'p90', 'p95', 'p99', 'p99.9', 'max', 'mean', 'count', 'rate'] as const

/** The metrics that `--expect` may use in this run. */
export interface Known {
  timings: readonly Timing[]
  counters: readonly Counter[]
  others: readonly string[]
}

/** @param recovers  whether the run has faults to recover from */
export const knownOf = (scenarios: readonly ScenarioName[], recovers: boolean): Known => {
  const among = <T>(of: Readonly<Record<ScenarioName, readonly T[]>>) => [
    ...new Set(scenarios.flatMap((name) => of[name])),
  ]
  const rest = Object.keys(others).filter((name) => recovers || !name.startsWith('recovery'))
  return { timings: among(timingsOf), counters: among(countersOf), others: rest }
}
