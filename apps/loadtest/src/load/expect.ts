import { type Known, statistics } from './metric-names.ts'
import { readMs, showMs } from './quantity.ts'
import { UsageError } from './usage-error.ts'

/** One condition on a run: `confirm.p99<50ms`. */
export interface Expectation {
  /** The condition as the user wrote it. */
  text: string
  metric: string
  operator: Operator
  /** Milliseconds if the metric is a time, else a plain number. */
  value: number
}

/** The result of an expectation. A metric that was not measured fails every expectation. */
export interface Verdict extends Expectation {
  actual: number | undefined
  met: boolean
}

const operators = {
  '<=': (a: number, b: number) => a <= b,
  '>=': (a: number, b: number) => a >= b,
  '==': (a: number, b: number) => a === b,
  '!=': (a: number, b: number) => a !== b,
  '<': (a: number, b: number) => a < b,
  '>': (a: number, b: number) => a > b,
} as const
type Operator = keyof typeof operators

const CONDITION = /^([^\s<>=!]+)\s*(<=|>=|==|!=|<|>)\s*(\S+)$/
const PERCENTILE = /^p(\d{1,2}(?:\.\d{1,3})?|100)$/

/** Whether the metric is in milliseconds; undefined if there is no such metric. */
const isTime = (metric: string, known: Known): boolean | undefined => {
  if (known.counters.some((name) => name === metric)) return false
  if (known.others.includes(metric)) return metric === 'recovery.max' || metric === 'recovery.mean'
  const [name, statistic = ''] = [metric.split('.')[0], metric.slice(metric.indexOf('.') + 1)]
  if (!known.timings.some((timing) => timing === name) || !metric.includes('.')) return undefined
  if (statistic === 'count' || statistic === 'rate') return false
  return PERCENTILE.test(statistic) || statistic === 'max' || statistic === 'mean' ? true : undefined
}

const listing = (known: Known): string =>
  `This run has ${[...known.counters, ...known.others].join(', ')}; and ${known.timings.join(', ')}, each with .${statistics.join(', .')} (p takes any percentile).`

const readOne = (text: string, known: Known): Expectation => {
  const [, metric = '', operator = '', written = ''] = CONDITION.exec(text) ?? []
  if (!metric)
    throw new UsageError(
      `--expect: "${text}" is no condition. Write a figure, one of < <= > >= == !=, and a value: confirm.p99<50ms`,
    )
  const time = isTime(metric, known)
  if (time === undefined) throw new UsageError(`--expect: there is no figure "${metric}" here. ${listing(known)}`)
  const value = time ? readMs(written) : /^\d+(\.\d+)?$/.test(written) ? Number(written) : undefined
  if (value === undefined)
    throw new UsageError(
      time
        ? `--expect: ${metric} is a time: "${written}" needs a unit, such as 50ms or 2s`
        : `--expect: ${metric} is a number: "${written}" is none`,
    )
  return { text, metric, operator: operator as Operator, value }
}

/** Reads comma-separated conditions. Throws UsageError, which lists the valid metrics. */
export const readExpectations = (text: string, known: Known): Expectation[] => {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.some((part) => part === '')) throw new UsageError(`--expect: there is an empty condition in "${text}"`)
  return parts.map((part) => readOne(part, known))
}

/**
 * @param figure  returns the measured value, in milliseconds for a time; undefined if nothing was measured
 */
export const judge = (
  expectations: readonly Expectation[],
  figure: (metric: string) => number | undefined,
): Verdict[] =>
  expectations.map((expectation) => {
    const actual = figure(expectation.metric)
    const met = actual !== undefined && operators[expectation.operator](actual, expectation.value)
    return { ...expectation, actual, met }
  })

/** `confirm.p99<50ms: 12.3ms`. */
export const showVerdict = ({ text, metric, actual }: Verdict): string => {
  const counted = /\.(count|rate|never)$|^connected/.test(metric) || !metric.includes('.')
  const shown = actual === undefined ? 'not measured' : counted ? `${Number(actual.toFixed(2))}` : showMs(actual)
  return `${text}: ${shown}`
}
