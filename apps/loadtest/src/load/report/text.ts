import { table } from '../../table.ts'
import { showVerdict } from '../expect.ts'
import { counters, timings } from '../metric-names.ts'
import { showMs } from '../quantity.ts'
import type { Result, TimeFigures } from '../result.ts'

const columns = ['mean', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'] as const
/** Maximum of lines for one kind of fault. */
const MOST_LINES = 20

const timeRow = (name: string, figures: TimeFigures): string[] => [
  name,
  `${figures.count}`,
  figures.rate.toFixed(1),
  ...columns.map((column) => showMs(figures[column])),
]

const countsOf = (counts: Record<string, number>): string[] =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `  ${count}  ${kind}`)

const section = (title: string, lines: readonly string[]): string[] => (lines.length > 0 ? ['', title, ...lines] : [])

/** The result as plain text. */
export const textReport = (result: Result): string => {
  const times = Object.keys(timings).flatMap((name) => {
    const figures = result.times[name as keyof typeof timings]
    return figures ? [timeRow(name, figures)] : []
  })
  const counts = Object.keys(counters).flatMap((name) => {
    const count = result.counts[name as keyof typeof counters]
    return count > 0 || ['lost', 'wrong', 'errors'].includes(name) ? [`${name} ${count}`] : []
  })
  const outages = result.outages.map(({ fault, what, from, to, greenAt, waitedFor }) => [
    `${fault} ${what}`,
    `${(from / 1_000).toFixed(1)}s`,
    showMs(to - from),
    greenAt === undefined ? `not green: ${waitedFor}` : showMs(greenAt - to),
  ])
  const faults = result.faults.map(({ fault, times, lasted, greenMean, greenMax, neverGreen }) => [
    fault,
    `${times}`,
    showMs(lasted),
    ...[greenMean, greenMax].map((ms) => (ms === undefined ? '-' : showMs(ms))),
    `${neverGreen}`,
  ])
  const { lost, duplicated, disordered, wrong, rescans } = result.named
  return [
    `${result.asked.join(', ')} on ${result.saoma}: ${Math.round(result.seconds)} s of which ${result.rampSeconds} s ramp, ${result.workers} worker(s) on ${result.machines} machine(s)`,
    ...(result.seed === undefined ? [] : [`faults drawn by --seed ${result.seed}, on ${result.redis} Redis`]),
    '',
    ...(times.length > 0 ? [table(['time', 'count', 'a second', ...columns], times), ''] : []),
    counts.join(', '),
    ...(result.connected.max > 0
      ? [`connected: ${result.connected.min} to ${result.connected.max} after the ramp`]
      : []),
    ...(outages.length > 0
      ? [
          '',
          table(['fault', 'at', 'lasted', 'green after'], outages),
          '',
          table(['faults', 'times', 'lasted', 'green after: mean', 'max', 'never'], faults),
        ]
      : []),
    ...section('Given up:', countsOf(result.errors)),
    ...section('Refused or broken, and tried again:', countsOf(result.refused)),
    ...section('Lost:', lost.slice(0, MOST_LINES)),
    ...section('To the wrong person:', wrong.slice(0, MOST_LINES)),
    ...section('More than once:', duplicated.slice(0, MOST_LINES)),
    ...section('Out of order:', disordered.slice(0, MOST_LINES)),
    ...section('To be scanned once more:', rescans.slice(0, MOST_LINES)),
    ...section('Note:', result.notes),
    '',
    ...result.verdicts.map((verdict) => `${verdict.met ? 'met    ' : 'NOT MET'}  ${showVerdict(verdict)}`),
  ].join('\n')
}
