import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { testApiKey } from '@saoma/testing'
import { SEEDS } from './chance.ts'
import { type Expectation, readExpectations } from './expect.ts'
import { type FaultName, faultsOf } from './faults.ts'
import { knownOf, type ScenarioName } from './metric-names.ts'
import { countWithin, rateWithin, timeWithin } from './quantity.ts'
import { type StoreKind, storeKinds } from './store.ts'
import { UsageError } from './usage-error.ts'

export interface Options {
  /** The scenarios as the user wrote them; `chaos` is one. */
  asked: string[]
  scenarios: ScenarioName[]
  storm: boolean
  /** Faults in turn; empty for a run without chaos. */
  faults: FaultName[]
  /** Whether the faults are shuffled in each round. */
  shuffles: boolean
  seed: number
  logins: number
  phones: number
  browsers: number
  people: number
  messages: number
  subscribers: number
  broadcasts: number
  rampMs: number
  durationMs: number
  workers: number
  url: string | undefined
  /** The Redis of a cluster that the load test starts. */
  redis: StoreKind
  nodes: number
  env: Record<string, string>
  apiKey: string
  room: string
  phoneTokens: string[]
  tokens: string[]
  coordinator: string | undefined
  run: string | undefined
  machines: number
  downMs: number
  calmMs: number
  /** How long an acknowledged message may take to arrive, and how long refused calls are retried. */
  patienceMs: number
  expectations: Expectation[]
  json: string | undefined
  html: string | undefined
  /** Folder for the output of the cluster's programs. */
  logs: string | undefined
}

const words = {
  logins: { type: 'string', default: '10' },
  phones: { type: 'string' },
  browsers: { type: 'string', default: '500' },
  people: { type: 'string', default: '100' },
  messages: { type: 'string', default: '50' },
  subscribers: { type: 'string', default: '100' },
  broadcasts: { type: 'string', default: '5' },
  ramp: { type: 'string', default: '5s' },
  duration: { type: 'string', default: '30s' },
  workers: { type: 'string', default: '2' },
  url: { type: 'string' },
  nodes: { type: 'string', default: '2' },
  env: { type: 'string', multiple: true },
  'api-key': { type: 'string' },
  room: { type: 'string', default: 'room:read-load' },
  'phone-token-file': { type: 'string' },
  'token-file': { type: 'string' },
  coordinator: { type: 'string' },
  run: { type: 'string' },
  machines: { type: 'string', default: '1' },
  redis: { type: 'string' },
  logs: { type: 'string' },
  faults: { type: 'string' },
  seed: { type: 'string' },
  down: { type: 'string', default: '2s' },
  calm: { type: 'string', default: '5s' },
  patience: { type: 'string' },
  expect: { type: 'string' },
  json: { type: 'string' },
  html: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** A run with faults must be patient longer than its faults last. */
const PATIENCE = '15s'
const FAULT_PATIENCE = '60s'
const MOST_RATE = 20_000
const MOST_CLIENTS = 500_000
const MOST_WORKERS = 64
const DAY_MS = 24 * 3_600_000
/**
 * Rate limits bound scans and confirmations per account. With this many accounts per login and second, each
 * stays far below them.
 */
const PHONES_PER_LOGIN = 4
const LEAST_PHONES = 10

const meanings: Readonly<Record<string, readonly ScenarioName[]>> = {
  login: ['login'],
  idle: ['idle'],
  inbox: ['inbox'],
  fanout: ['fanout'],
  storm: ['idle'],
  chaos: ['idle', 'login', 'inbox', 'fanout'],
}

const read = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: words, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

const linesOf = (option: string, file: string | undefined): string[] => {
  if (file === undefined) return []
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    const tokens = lines.map((line) => line.trim()).filter(Boolean)
    if (tokens.length > 0) return tokens
  } catch (error) {
    throw new UsageError(`--${option}: ${error instanceof Error ? error.message : error}`)
  }
  throw new UsageError(`--${option}: ${file} has no line with a token`)
}

const originOf = (text: string | undefined): string | undefined => {
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UsageError(`--url takes an address such as https://login.example.com, not "${text}"`)
  return url.origin
}

const settingsOf = (pairs: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const [, name = '', value = ''] = /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(pair) ?? []
      if (!name) throw new UsageError(`--env takes NAME=VALUE, not "${pair}"`)
      return [name, value]
    }),
  )

const storeOf = (text: string): StoreKind => {
  const kind = storeKinds.find((name) => name === text)
  if (!kind) throw new UsageError(`--redis takes ${storeKinds.join(' or ')}, not "${text}"`)
  return kind
}

const readFaults = (text: string | undefined, kind: StoreKind): FaultName[] => {
  const known = faultsOf(kind)
  if (text === undefined) return known
  return text.split(',').map((word) => {
    const fault = known.find((name) => name === word.trim())
    if (!fault) throw new UsageError(`--faults: a ${kind} Redis has no fault "${word}", only ${known.join(', ')}`)
    return fault
  })
}

/** No acknowledged message may be missing or duplicated. In a run without faults nothing may fail either. */
const defaultsFor = (counters: readonly string[], chaos: boolean, storm: boolean): string => {
  const books = ['lost', 'wrong', 'duplicated', 'disordered'].filter((name) => counters.includes(name))
  const rest = [
    ...(chaos ? ['recovery.never==0'] : ['errors==0']),
    // A fault of Redis lasts as long as Redis is away. The report shows the recovery time, and the reader
    // judges it.
    ...(storm && !chaos ? ['recovery.max<10s'] : []),
  ]
  return [...books.map((name) => `${name}==0`), ...rest].join(',')
}

/** Reads the command line; `help` if it asks for help. Throws UsageError with a sentence for the user. */
export const readOptions = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Options | 'help' => {
  const { values, positionals } = read(args)
  if (values.help) return 'help'
  const unknown = positionals.find((word) => !(word in meanings))
  if (unknown) throw new UsageError(`there is no scenario "${unknown}", only ${Object.keys(meanings).join(', ')}`)
  if (positionals.length === 0)
    throw new UsageError(`name a scenario: ${Object.keys(meanings).join(', ')}. See --help for details`)
  const scenarios = [...new Set(positionals.flatMap((word) => meanings[word] ?? []))]
  const [chaos, storm] = [positionals.includes('chaos'), positionals.includes('storm')]
  const url = originOf(values.url)
  if (chaos && url) throw new UsageError('chaos kills and restarts: it is for a cluster of its own, without --url')
  for (const name of ['redis', 'logs'] as const)
    if (url && values[name] !== undefined) throw new UsageError(`--${name} is for a cluster of its own, without --url`)
  const redis = storeOf(values.redis ?? 'standalone')
  const publishes = scenarios.includes('inbox') || scenarios.includes('fanout')
  const apiKey = values['api-key'] ?? env.LOAD_API_KEY ?? (url ? '' : testApiKey)
  if (publishes && !apiKey)
    throw new UsageError(
      'inbox and fanout publish as a backend: give --api-key, one of the SAOMA_API_KEYS of that server',
    )
  if (values.machines !== '1' && !(values.coordinator && values.run && url))
    throw new UsageError('several machines need --coordinator, --run and --url, the same on each')
  if (values.coordinator !== undefined && !/^rediss?:\/\/./.test(values.coordinator))
    throw new UsageError(`--coordinator takes redis://host:port, not "${values.coordinator}"`)
  if (values.coordinator !== undefined && !/^[A-Za-z0-9_-]{1,32}$/.test(values.run ?? ''))
    throw new UsageError('--coordinator goes with --run, a name of 1 to 32 letters, digits, - and _')
  const logins = rateWithin('logins', values.logins, MOST_RATE)
  const count = (name: 'browsers' | 'people' | 'subscribers') => countWithin(name, values[name], 0, MOST_CLIENTS)
  const tokens = linesOf('token-file', values['token-file'])
  const people = count('people')
  if (scenarios.includes('inbox') && tokens.length > 0 && tokens.length < people)
    throw new UsageError(`--token-file has ${tokens.length} token(s), and --people says ${people}`)
  const known = knownOf(scenarios, chaos || storm)
  return {
    asked: positionals,
    scenarios,
    storm,
    faults: chaos ? readFaults(values.faults, redis) : [],
    shuffles: values.faults === undefined,
    seed: values.seed === undefined ? randomInt(SEEDS) : countWithin('seed', values.seed, 0, SEEDS - 1),
    logins,
    phones: countWithin(
      'phones',
      values.phones ?? `${Math.max(LEAST_PHONES, Math.ceil(logins * PHONES_PER_LOGIN))}`,
      1,
      MOST_CLIENTS,
    ),
    browsers: count('browsers'),
    people,
    messages: rateWithin('messages', values.messages, MOST_RATE),
    subscribers: count('subscribers'),
    broadcasts: rateWithin('broadcasts', values.broadcasts, MOST_RATE),
    rampMs: timeWithin('ramp', values.ramp, 0, DAY_MS),
    durationMs: timeWithin('duration', values.duration, 1_000, DAY_MS),
    workers: countWithin('workers', values.workers, 1, MOST_WORKERS),
    url,
    redis,
    nodes: countWithin('nodes', values.nodes, chaos ? 2 : 1, 16),
    env: settingsOf(values.env ?? []),
    apiKey,
    room: values.room,
    phoneTokens: linesOf('phone-token-file', values['phone-token-file']),
    tokens,
    coordinator: values.coordinator,
    run: values.run,
    machines: countWithin('machines', values.machines, 1, MOST_WORKERS),
    downMs: timeWithin('down', values.down, 0, 600_000),
    calmMs: timeWithin('calm', values.calm, 0, 600_000),
    patienceMs: timeWithin('patience', values.patience ?? (chaos ? FAULT_PATIENCE : PATIENCE), 1_000, 600_000),
    expectations: readExpectations(values.expect ?? defaultsFor(known.counters, chaos, storm), known),
    json: values.json,
    html: values.html,
    logs: values.logs,
  }
}
