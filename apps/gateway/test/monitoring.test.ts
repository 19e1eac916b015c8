import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { createMetrics } from '../src/operate/metrics.ts'

const read = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')

interface Dashboard {
  panels: {
    type: string
    title: string
    description?: string
    datasource?: { uid: string }
    fieldConfig?: { defaults: { unit?: string } }
    targets?: { expr: string; legendFormat: string; datasource: { uid: string } }[]
  }[]
  templating: { list: { name: string; type: string; definition?: string }[] }
}

interface Rules {
  groups: { rules: { alert: string; expr: string }[] }[]
}

const { registry } = createMetrics()
/** Of apps/nginx-metrics. */
const NGINX: Record<string, readonly string[]> = {
  saoma_nginx_up: [],
  saoma_nginx_connections: ['state'],
  saoma_nginx_sockets_limit: [],
  saoma_nginx_answers_total: ['status', 'by'],
}
const rulesOf = async () => (parse(await read('monitoring/alerts.yml')) as Rules).groups.flatMap(({ rules }) => rules)
const dashboardOf = async () => JSON.parse(await read('monitoring/dashboard.json')) as Dashboard
/** Labels that Prometheus adds by itself. */
const ADDED = ['job', 'instance', 'le']

/**
 * The labels of a metric, or of one of the series that a histogram is made of; undefined when there is none
 * of that name.
 */
const labelsOf = (series: string): readonly string[] | undefined => {
  if (NGINX[series]) return NGINX[series]
  const name = registry.getSingleMetric(series) ? series : series.replace(/_(bucket|count|sum)$/, '')
  const metric = registry.getSingleMetric(name)
  return metric && 'labelNames' in metric ? (metric.labelNames as string[]) : undefined
}

const SELECTOR = /\b((?:saoma|nodejs|process)_\w+)(?:\{([^}]*)\})?/g

/** The series that a query names, each with the labels that it is selected by. */
const selectorsIn = (query: string): { series: string; labels: string[] }[] =>
  [...query.matchAll(SELECTOR)].map(([, series = '', matchers = '']) => ({
    series,
    labels: [...matchers.matchAll(/(\w+)[=!]/g)].map(([, label = '']) => label),
  }))

/** The labels that it groups or joins by. */
const groupsIn = (query: string): string[] =>
  [...query.matchAll(/\b(?:by|on|group_left) \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/))

/** What a query names that the registry does not have. */
const strangersIn = (query: string, shown: readonly string[] = []): string[] => {
  const selectors = selectorsIn(query)
  const own = selectors.flatMap(({ series }) => labelsOf(series) ?? [])
  return [
    ...selectors.filter(({ series }) => !labelsOf(series)).map(({ series }) => series),
    ...selectors.flatMap(({ series, labels }) =>
      labels.filter((label) => ![...ADDED, ...(labelsOf(series) ?? [])].includes(label)),
    ),
    ...[...groupsIn(query), ...shown].filter((label) => ![...ADDED, ...own].includes(label)),
  ]
}

test('every metric and label of an alert exists, and every alert is explained', async () => {
  const runbook = await read('docs/operate.md')
  const rules = await rulesOf()
  expect(rules.length).toBeGreaterThan(10)
  for (const { alert, expr } of rules) {
    expect(runbook).toContain(alert)
    expect([alert, ...strangersIn(expr)]).toEqual([alert])
    expect(selectorsIn(expr).length + Number(expr.startsWith('up{'))).toBeGreaterThan(0)
    // What is left after grouping is what the sentence of an alert may name.
    for (const label of groupsIn(expr)) expect(ADDED).toContain(label)
  }
})

test('the six figures come first, and their queries and alerts exist', async () => {
  const page = await read('docs/operate.md')
  const section = page.split(/^## /m)[1] ?? ''
  expect(section.split('\n')[0]).toBe('The six figures to watch')
  const queries = [...section.matchAll(/```text\n(.*)\n```/g)].map(([, query = '']) => query)
  expect(queries).toHaveLength(6)
  for (const query of queries) {
    expect([query, ...strangersIn(query)]).toEqual([query])
    expect(selectorsIn(query).length + Number(query.includes('up{'))).toBeGreaterThan(0)
  }
  const alerts = (await rulesOf()).map(({ alert }) => alert)
  const named = [...section.matchAll(/`(Saoma\w+)`/g)].map(([, alert = '']) => alert)
  expect(named.length).toBeGreaterThanOrEqual(6)
  expect(named.filter((alert) => !alerts.includes(alert))).toEqual([])
})

test('apps/nginx-metrics tells what the alerts name of nginx', async () => {
  const source = await read('apps/nginx-metrics/src/main.ts')
  for (const [name, labels] of Object.entries(NGINX)) {
    expect(source).toContain(`'${name}'`)
    for (const label of labels) expect(source).toMatch(new RegExp(`'${label}'`))
  }
})

const promtool = spawnSync('promtool', ['--version']).status === 0
const withPromtool = promtool ? test : test.skip

withPromtool('promtool finds the rules and the configuration right, and each alert fires when it should', () => {
  const run = (...args: string[]) =>
    spawnSync('promtool', args, {
      cwd: fileURLToPath(new URL('../../../monitoring', import.meta.url)),
      encoding: 'utf8',
    })
  for (const args of [
    ['check', 'rules', 'alerts.yml'],
    ['check', 'config', 'prometheus.yml'],
    ['test', 'rules', 'alerts.test.yml'],
  ]) {
    const { status, stdout, stderr } = run(...args)
    expect([args, status, status === 0 ? '' : stdout + stderr]).toEqual([args, 0, ''])
  }
})

withPromtool('promtool finds no fault with the names of metrics', async () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await registry.metrics(),
    encoding: 'utf8',
  })
  expect([status, stdout + stderr]).toEqual([0, ''])
})

test('every metric and label of the dashboard exists, and every panel is explained', async () => {
  const { panels, templating } = await dashboardOf()
  const pictures = panels.filter(({ type }) => type !== 'row')
  expect(pictures.length).toBeGreaterThan(30)
  for (const { title, description = '', datasource, fieldConfig, targets = [] } of pictures) {
    expect([title, description.length > 20, fieldConfig?.defaults.unit]).toEqual([title, true, expect.any(String)])
    expect(targets.length).toBeGreaterThan(0)
    for (const { expr, legendFormat, datasource: asked } of targets) {
      const shown = [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label = '']) => label)
      expect([title, ...strangersIn(expr, shown)]).toEqual([title])
      // Each is for the nodes that were chosen, and for them only.
      for (const { series, labels } of selectorsIn(expr))
        if (!(series in NGINX)) expect(labels).toEqual(expect.arrayContaining(['job', 'instance']))
      expect([datasource?.uid, asked.uid]).toEqual(['$datasource', '$datasource'])
    }
  }
  for (const { definition = '' } of templating.list) expect(strangersIn(definition)).toEqual([])
  expect(templating.list.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'datasource datasource',
    'job query',
    'node query',
  ])
})

test('every metric of ours is on the dashboard', async () => {
  const { panels } = await dashboardOf()
  const named = panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => selectorsIn(expr)))
  const shown = new Set(named.map(({ series }) => series.replace(/_(bucket|count|sum)$/, '')))
  const names = (await registry.getMetricsAsJSON()).map(({ name }) => name).filter((name) => name.startsWith('saoma_'))
  expect(names.filter((name) => !shown.has(name))).toEqual([])
})

test('the table of metrics matches the registry', async () => {
  const rows = (await read('docs/operate.md')).match(/^\| `saoma_.*$/gm)
  const metrics = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('saoma_'))
  const code = (words: readonly string[] = []) => words.map((word) => `\`${word}\``).join(', ')
  expect(rows).toEqual(
    metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${code(labelsOf(name))} | ${help} |`),
  )
})
