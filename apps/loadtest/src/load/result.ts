import type { Account } from './account.ts'
import type { Outage } from './chaos.ts'
import { type Expectation, judge, type Verdict } from './expect.ts'
import type { Led } from './lead.ts'
import { type Counter, counters, type ScenarioName, type Timing, timings } from './metric-names.ts'
import { judgeRescans, showRescan } from './rescans.ts'
import type { StoreKind } from './store.ts'
import type { Second } from './timeline.ts'

/** A time over the whole run, in milliseconds. */
export interface TimeFigures {
  count: number
  /** Per second. */
  rate: number
  mean: number
  p50: number
  p90: number
  p95: number
  p99: number
  'p99.9': number
  max: number
  /** Percentile and milliseconds. The points get denser towards 100. */
  curve: [number, number][]
}

/** All outages of one fault, in milliseconds. */
export interface FaultFigures {
  fault: Outage['fault']
  times: number
  /** Total duration of the outages. */
  lasted: number
  /** From the end of an outage until everything was green: mean and maximum of those that recovered. */
  greenMean?: number
  greenMax?: number
  neverGreen: number
}

/** The complete result of a run: `--json` writes it, and the other reports show it. */
export interface Result {
  saoma: string
  /** The words of the user, and the scenarios that they stand for. */
  asked: readonly string[]
  scenarios: readonly ScenarioName[]
  startedAt: string
  /** Seconds of the ramp, which `times` excludes, and of the whole run. */
  rampSeconds: number
  seconds: number
  machines: number
  workers: number
  /** Absent for a Saoma that the user names by URL. */
  nodes?: number
  redis?: StoreKind
  /** The seed of the faults; absent if there were none. */
  seed?: number
  times: Partial<Record<Timing, TimeFigures>>
  counts: Record<Counter, number>
  connected: { min: number; max: number }
  errors: Record<string, number>
  refused: Record<string, number>
  /** The first cases of each kind: lost, duplicated, out of order, or sent to the wrong person. */
  named: Account['named'] & { rescans: string[] }
  /** How often each fault occurred, and how the cluster recovered. */
  faults: FaultFigures[]
  outages: Outage[]
  verdicts: Verdict[]
  met: boolean
  /** Notes that a reader of the figures needs. */
  notes: string[]
  timeline: Second[]
}

export interface ResultOptions extends Led {
  url: string
  asked: readonly string[]
  scenarios: readonly ScenarioName[]
  rampMs: number
  machines: number
  nodes?: number
  redis?: StoreKind
  seed?: number
  outages: Outage[]
  expectations: readonly Expectation[]
}

const US_PER_MS = 1_000
/** Beyond this the load tester itself is too slow. */
const LATE_MS = 50
/**
 * Points of the curve: the rest up to 100 % is halved this often, each half with the same number of points.
 */
const CURVE_HALVES = 14
const CURVE_STEPS = 4
const MOST_NAMED = 200

const curvePercentiles = (count: number): number[] => {
  const list: number[] = []
  for (let half = 0; half < CURVE_HALVES; half++)
    for (let step = 0; step < CURVE_STEPS; step++) {
      const left = (100 / 2 ** half) * (1 - step / (2 * CURVE_STEPS))
      // A percentile needs at least one value above it.
      if ((count * left) / 100 >= 1) list.push(100 - left)
    }
  return list
}

const timesOf = ({ timeline }: Led, measuredSeconds: number): Result['times'] => {
  const times: Result['times'] = {}
  for (const name of Object.keys(timings) as Timing[]) {
    const histogram = timeline.totals.get(name)
    if (!histogram) continue
    // A bucket's upper end may lie a little above the largest value in it.
    const most = histogram.maxValue / US_PER_MS
    const at = (percentile: number) => Math.min(most, histogram.getValueAtPercentile(percentile) / US_PER_MS)
    const count = histogram.totalCount
    times[name] = {
      count,
      rate: count / measuredSeconds,
      mean: histogram.mean / US_PER_MS,
      p50: at(50),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      'p99.9': at(99.9),
      max: most,
      curve: curvePercentiles(count).map((percentile) => [percentile, at(percentile)]),
    }
  }
  return times
}

const sumOf = (accounts: readonly Account[], what: 'lost' | 'duplicated' | 'disordered' | 'wrong'): number =>
  accounts.reduce((sum, account) => sum + account[what], 0)

const namedOf = (accounts: readonly Account[]): Account['named'] => {
  const of = (kind: keyof Account['named']) => accounts.flatMap(({ named }) => named[kind]).slice(0, MOST_NAMED)
  return { lost: of('lost'), duplicated: of('duplicated'), disordered: of('disordered'), wrong: of('wrong') }
}

const faultsOf = (outages: readonly Outage[]): FaultFigures[] =>
  [...Map.groupBy(outages, ({ fault }) => fault)].map(([fault, had]) => {
    const green = had.flatMap(({ to, greenAt }) => (greenAt === undefined ? [] : [greenAt - to]))
    return {
      fault,
      times: had.length,
      lasted: had.reduce((sum, { from, to }) => sum + to - from, 0),
      ...(green.length > 0
        ? { greenMean: green.reduce((sum, ms) => sum + ms, 0) / green.length, greenMax: Math.max(...green) }
        : {}),
      neverGreen: had.length - green.length,
    }
  })

const notesOf = (result: Pick<Result, 'counts' | 'times' | 'nodes' | 'named'>): string[] => {
  const notes: string[] = []
  const { limited, rescans } = result.counts
  if (limited > 0)
    notes.push(
      `${limited} times a rate limit answered (429): what is measured here is the limit, not what the cluster can do. Raise SAOMA_LIMIT_CODES, _REQUESTS, _DECISIONS and _HANDSHAKES on the nodes${result.nodes ? ' (--env)' : ''}, or come from more addresses.`,
    )
  if (rescans > 0)
    notes.push(
      `${rescans} login(s) lost their code without tokens, because a node or Redis failed at that moment. ARCHITECTURE.md explains why the tokens cannot be requested again ("One window stays open on purpose"); the person scans again.`,
    )
  const late = result.times.late?.p99 ?? 0
  if (late > LATE_MS)
    notes.push(
      `The load tester itself began things ${Math.round(late)} ms late (p99), which is in the times: its machine is too busy. Take more --workers or --machines, or less load.`,
    )
  return notes
}

export const createResult = (options: ResultOptions): Result => {
  const { timeline, accounts, rampMs, lastedMs, outages } = options
  const seconds = lastedMs / 1_000
  const rampSeconds = rampMs / 1_000
  const counts = Object.fromEntries(
    Object.keys(counters).map((name) => [name, timeline.counts[name as Counter] ?? 0]),
  ) as Record<Counter, number>
  const { excused, lost } = judgeRescans(options.rescans, outages)
  counts.rescans = excused.length
  counts.lost += lost.length
  for (const kind of ['lost', 'duplicated', 'disordered', 'wrong'] as const) counts[kind] += sumOf(accounts, kind)
  const times = timesOf(options, Math.max(1, seconds - rampSeconds))
  const steady = timeline.seconds.filter(({ second }) => second >= rampSeconds && second < seconds - 1)
  const connected = {
    min: Math.min(...steady.map((second) => second.connected)),
    max: Math.max(0, ...timeline.seconds.map((second) => second.connected)),
  }
  if (!Number.isFinite(connected.min)) connected.min = 0
  const named = { ...namedOf(accounts), rescans: excused.map(showRescan) }
  named.lost.unshift(...lost.map(showRescan))
  const recoveries = outages.map(({ to, greenAt }) => (greenAt ?? Number.POSITIVE_INFINITY) - to)

  const figure = (metric: string): number | undefined => {
    if (metric in counts) return counts[metric as Counter]
    if (metric === 'connected.min') return connected.min
    if (metric === 'connected.max') return connected.max
    if (metric === 'recovery.max') return recoveries.length > 0 ? Math.max(...recoveries) : undefined
    if (metric === 'recovery.never') return recoveries.filter((ms) => !Number.isFinite(ms)).length
    if (metric === 'recovery.mean')
      return recoveries.length > 0 ? recoveries.reduce((sum, ms) => sum + ms, 0) / recoveries.length : undefined
    const [name, statistic] = [metric.slice(0, metric.indexOf('.')) as Timing, metric.slice(metric.indexOf('.') + 1)]
    const time = times[name]
    if (!time) return statistic === 'count' || statistic === 'rate' ? 0 : undefined
    if (statistic in time) return time[statistic as 'p50']
    const histogram = timeline.totals.get(name)
    return histogram && histogram.getValueAtPercentile(Number(statistic.slice(1))) / US_PER_MS
  }
  const verdicts = judge(options.expectations, figure)
  const { nodes, redis, seed } = options
  const known = { counts, times, named, ...(nodes ? { nodes } : {}) }
  return {
    saoma: options.url,
    asked: options.asked,
    scenarios: options.scenarios,
    startedAt: options.startedAt.toISOString(),
    rampSeconds,
    seconds,
    machines: options.machines,
    workers: options.workers,
    ...known,
    ...(redis ? { redis } : {}),
    ...(seed === undefined ? {} : { seed }),
    connected,
    errors: timeline.errors,
    refused: timeline.refused,
    faults: faultsOf(outages),
    outages,
    verdicts,
    met: verdicts.every(({ met }) => met),
    notes: notesOf(known),
    timeline: timeline.seconds,
  }
}
