import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { createMetrics } from '../src/metrics.ts'

const read = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')

interface Rules {
  groups: { rules: { alert: string; expr: string }[] }[]
}

const { registry } = createMetrics()
const rulesOf = async () => (parse(await read('monitoring/alerts.yml')) as Rules).groups.flatMap(({ rules }) => rules)
/** Labels that Prometheus adds by itself. */
const ADDED = ['job', 'instance', 'le']

/** The labels of a metric, or of one of the series that a histogram is made of; undefined when there is none of that name. */
const labelsOf = (series: string): readonly string[] | undefined => {
  const name = registry.getSingleMetric(series) ? series : series.replace(/_(bucket|count|sum)$/, '')
  const metric = registry.getSingleMetric(name)
  return metric && 'labelNames' in metric ? (metric.labelNames as string[]) : undefined
}

test('every metric and label that an alert names exists, and every alert is explained', async () => {
  const runbook = await read('docs/operate.md')
  const rules = await rulesOf()
  expect(rules.length).toBeGreaterThan(10)
  for (const { alert, expr } of rules) {
    expect(runbook).toContain(alert)
    const selectors = [...expr.matchAll(/\b((?:saoma|nodejs|process)_\w+)(?:\{([^}]*)\})?/g)]
    const own = selectors.map(([, series = '', matchers = '']) => {
      expect([alert, series, labelsOf(series) !== undefined]).toEqual([alert, series, true])
      return { series, named: [...matchers.matchAll(/(\w+)[=!]/g)].map(([, label]) => label) }
    })
    for (const { series, named } of own)
      for (const label of named) expect([...ADDED, ...(labelsOf(series) ?? [])]).toContain(label)
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/))
    for (const label of grouped) expect(ADDED).toContain(label)
  }
})

test('the table of metrics is the one of the registry', async () => {
  const rows = (await read('docs/operate.md')).match(/^\| `saoma_.*$/gm)
  const metrics = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('saoma_'))
  const code = (words: readonly string[] = []) => words.map((word) => `\`${word}\``).join(', ')
  expect(rows).toEqual(
    metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${code(labelsOf(name))} | ${help} |`),
  )
})
