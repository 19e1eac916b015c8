import type { Result } from '../result.ts'
import type { Line, Plots } from './plots.ts'

/** Texts that the page receives besides the result. */
export interface Words {
  /** Descriptions of the times and counters. */
  meanings: Readonly<Record<string, string>>
  verdicts: readonly string[]
}

/**
 * Draws the report. The source text of this function is put into the page and runs in the reader's browser.
 * It may use only what is inside the function.
 */
export const drawReport = ({ plotInto, redraw }: Plots, result: Result, { meanings, verdicts }: Words): void => {
  const seconds = result.timeline.map(({ second }) => second)

  const ms = (value: number | null | undefined): string => {
    if (value === null || value === undefined || !Number.isFinite(value)) return '-'
    if (value === 0) return '0'
    if (value < 1) return `${Math.round(value * 1000)} us`
    if (value < 1000) return `${Number(value.toPrecision(value < 10 ? 2 : 3))} ms`
    return `${Number((value / 1000).toPrecision(3))} s`
  }
  const plain = (value: number | null | undefined): string =>
    value === null || value === undefined ? '-' : value.toLocaleString('en-US', { maximumFractionDigits: 1 })

  const add = (parent: Element, tag: string, text = '', className = ''): HTMLElement => {
    const element = document.createElement(tag)
    element.textContent = text
    if (className) element.className = className
    parent.append(element)
    return element
  }

  const chart = (parent: Element, title: string, about: string): HTMLElement => {
    const figure = add(parent, 'figure')
    const caption = add(figure, 'figcaption', `${title} `)
    add(caption, 'span', about)
    return add(figure, 'div')
  }

  const tableOf = (parent: Element, head: readonly string[], rows: readonly (readonly string[])[], wordy = -1) => {
    const table = add(add(parent, 'div', '', 'scroll'), 'table', '', 'figures')
    const header = add(table, 'tr')
    for (const [i, title] of head.entries()) add(header, 'th', title, i === wordy ? 'words' : '')
    for (const row of rows) {
      const line = add(table, 'tr')
      for (const [i, cell] of row.entries()) add(line, 'td', cell, i === wordy ? 'words' : '')
    }
  }

  const drawHead = (body: Element) => {
    const asked = result.asked.join(', ')
    const does = result.scenarios.join(', ')
    add(body, 'h1', asked === does ? asked : `${asked}: ${does}`)
    const { nodes, redis, seed, machines, workers } = result
    const on = `${nodes ? `, ${nodes} nodes` : ''}${redis ? ` on ${redis} Redis` : ''}${seed === undefined ? '' : `, --seed ${seed}`}`
    const by = `${workers} worker${workers === 1 ? '' : 's'} on ${machines} machine${machines === 1 ? '' : 's'}`
    const started = new Date(result.startedAt).toISOString().replace('T', ' ').slice(0, 16)
    const where = `${result.saoma}${on} · ${started} UTC · ${Math.round(result.seconds)} s of which ${result.rampSeconds} s ramp · ${by}`
    add(body, 'p', where, 'where')
    const list = add(body, 'div', '', 'verdicts')
    for (const [i, { met, text }] of result.verdicts.entries()) {
      const verdict = add(list, 'div', '', met ? 'verdict' : 'verdict failed')
      add(verdict, 'b', text)
      add(verdict, 'span', `${met ? 'met' : 'not met'}: ${verdicts[i]?.slice(text.length + 2)}`)
    }
  }

  const drawTiles = (body: Element) => {
    const tiles = add(body, 'div', '', 'tiles')
    const tile = (name: string, value: string, failed = false) => {
      const box = add(tiles, 'div', '', failed ? 'tile failed' : 'tile')
      add(box, 'b', value)
      add(box, 'span', name)
    }
    const { counts, times, connected, outages } = result
    for (const name of ['lost', 'wrong', 'errors'] as const) tile(name, plain(counts[name]), counts[name] > 0)
    for (const name of ['logins', 'published', 'received', 'refused'] as const)
      if (counts[name] > 0) tile(name, plain(counts[name]))
    for (const name of ['login', 'confirm', 'deliver', 'fanout'] as const) {
      const time = times[name]
      if (time) tile(`${name} p99`, ms(time.p99))
    }
    if (connected.max > 0) tile('connected', plain(connected.max))
    if (outages.length > 0) {
      const slowest = Math.max(...outages.map(({ to, greenAt }) => (greenAt ?? Number.POSITIVE_INFINITY) - to))
      tile('slowest recovery', Number.isFinite(slowest) ? ms(slowest) : 'never', !Number.isFinite(slowest))
    }
  }

  const drawRates = (charts: Element) => {
    const counted = (
      name: 'logins' | 'published' | 'received' | 'refused' | 'errors' | 'reconnects',
      shade: string,
    ): Line => ({
      label: name,
      color: shade,
      values: result.timeline.map(({ counts }) => counts[name] ?? 0),
    })
    const isUsed = ({ values }: Line) => values.some((value) => (value ?? 0) > 0)
    const draw = (title: string, about: string, lines: readonly Line[]) => {
      const used = lines.filter(isUsed)
      if (used.length > 0) plotInto(chart(charts, title, about), seconds, used, { time: true, show: plain })
    }
    draw('Done', 'a second', [counted('logins', 's1'), counted('published', 's2')])
    draw('Received', 'messages a second, all readers together', [counted('received', 's3')])
    draw('Connected', 'sockets that are served', [
      { label: 'connected', color: 's1', values: result.timeline.map(({ connected }) => connected) },
      { label: 'wanted', color: 's6', values: result.timeline.map(({ wanted }) => wanted) },
    ])
    draw('Trouble', 'a second: refused and tried again, reconnected, given up', [
      counted('refused', 's2'),
      counted('reconnects', 's6'),
      counted('errors', 's5'),
    ])
  }

  const drawTimes = (charts: Element) => {
    for (const name of Object.keys(result.times) as (keyof Result['times'])[]) {
      const of = (what: 'p50' | 'p95' | 'p99') => result.timeline.map(({ times }) => times[name]?.[what] ?? null)
      const lines = (['p50', 'p95', 'p99'] as const).map((what) => ({ label: what, color: what, values: of(what) }))
      plotInto(chart(charts, name, meanings[name] ?? ''), seconds, lines, { time: true, show: ms })
    }
  }

  const drawCurve = (charts: Element) => {
    // The x-axis: 90 % at 10, 99 % at 100, 99.9 % at 1000.
    const names = (Object.keys(result.times) as (keyof Result['times'])[]).filter((name) => name !== 'late').slice(0, 7)
    const curves = names.map(
      (name) => new Map(result.times[name]?.curve.map(([at, value]) => [100 / (100 - at), value])),
    )
    const x = [...new Set(curves.flatMap((curve) => [...curve.keys()]))].sort((a, b) => a - b)
    const lines = names.map((name, i) => ({
      label: name,
      color: `s${i + 1}`,
      values: x
        .map((at) => Math.max(0.01, curves[i]?.get(at) ?? 0) || null)
        .map((value, j) => (curves[i]?.has(x[j] ?? 0) ? value : null)),
    }))
    if (x.length > 0)
      plotInto(chart(charts, 'Percentiles', 'of the whole run after the ramp, both axes logarithmic'), x, lines, {
        time: false,
        show: ms,
        log: true,
      })
  }

  const drawTables = (body: Element) => {
    const columns = ['mean', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'] as const
    add(body, 'h2', 'Times')
    const times = Object.entries(result.times).map(([name, time]) => [
      name,
      plain(time.count),
      plain(time.rate),
      ...columns.map((column) => ms(time[column])),
      meanings[name] ?? '',
    ])
    tableOf(body, ['', 'count', 'a second', ...columns, ''], times, columns.length + 3)
    add(body, 'h2', 'Counts')
    const counts = Object.entries(result.counts).filter(([, count]) => count > 0)
    tableOf(
      body,
      ['', '', ''],
      counts.map(([name, count]) => [name, plain(count), meanings[name] ?? '']),
      2,
    )
    const kinds = (title: string, of: Record<string, number>) => {
      const rows = Object.entries(of).sort(([, a], [, b]) => b - a)
      if (rows.length === 0) return
      add(body, 'h2', title)
      tableOf(
        body,
        ['', 'times'],
        rows.map(([kind, count]) => [kind, plain(count)]),
      )
    }
    kinds('Given up', result.errors)
    kinds('Failed and retried', result.refused)
    for (const [title, list] of [
      ['Lost', result.named.lost],
      ['To the wrong person', result.named.wrong],
      ['More than once', result.named.duplicated],
      ['Out of order', result.named.disordered],
      ['To be scanned again', result.named.rescans],
    ] as const) {
      if (list.length === 0) continue
      add(body, 'h2', title)
      const items = add(body, 'ul')
      for (const text of list) add(items, 'li', text)
    }
  }

  /** Explains the colours behind the lines. */
  const drawKey = (title: Element) => {
    if (result.outages.length === 0) return
    for (const [name, text] of [
      ['fault', 'a fault'],
      ['healing', 'until all was green'],
    ] as const) {
      const key = add(title, 'span', '', 'key')
      key.style.background = `var(--${name})`
      key.style.marginLeft = '12px'
      add(title, 'small', text)
    }
  }

  const drawFaults = (body: Element) => {
    if (result.outages.length === 0) return
    add(body, 'h2', 'Faults')
    const counted = result.faults.map(({ fault, times, lasted, greenMean, greenMax, neverGreen }) => [
      fault,
      ...[plain(times), ms(lasted), ms(greenMean), ms(greenMax), plain(neverGreen)],
    ])
    tableOf(body, ['', 'times', 'lasted', 'green after: mean', 'max', 'never'], counted)
    const rows = result.outages.map(({ fault, what, from, to, greenAt, waitedFor }) => [
      `${fault} ${what}`,
      `${(from / 1000).toFixed(1)} s`,
      ms(to - from),
      greenAt === undefined ? `not green: ${waitedFor}` : ms(greenAt - to),
    ])
    tableOf(body, ['', 'began at', 'lasted', 'green after'], rows)
  }

  const { body } = document
  drawHead(body)
  drawTiles(body)
  for (const note of result.notes) add(body, 'p', note, 'note')
  drawKey(add(body, 'h2', 'Second by second '))
  const charts = add(body, 'div', '', 'charts')
  drawRates(charts)
  drawTimes(charts)
  drawCurve(charts)
  drawTables(body)
  drawFaults(body)

  // The grid has its columns only now.
  redraw()
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)
  addEventListener('resize', redraw)
}
