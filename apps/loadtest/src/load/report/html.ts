import { readFile } from 'node:fs/promises'
import { showVerdict } from '../expect.ts'
import { counters, timings } from '../metric-names.ts'
import type { Result } from '../result.ts'
import { drawReport, type Words } from './page.ts'
import { createPlots } from './plots.ts'

const read = (name: string) => readFile(new URL(import.meta.resolve(name)), 'utf8')

/** JSON inside a script element. It must not contain anything that ends the element. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c')

/** A self-contained page. It loads nothing, and its own content security policy forbids it to. */
export const htmlReport = async (result: Result): Promise<string> => {
  const [plot, plotStyle, style] = await Promise.all([
    read('uplot/dist/uPlot.iife.min.js'),
    read('uplot/dist/uPlot.min.css'),
    readFile(new URL('./page.css', import.meta.url), 'utf8'),
  ])
  const words: Words = { meanings: { ...timings, ...counters }, verdicts: result.verdicts.map(showVerdict) }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>Load on Saoma: ${result.asked.join(', ')}</title>
<link rel="icon" href="data:,">
<style>${plotStyle}</style>
<style>${style}</style>
</head>
<body>
<script>${plot}</script>
<script>const result = ${json(result)};(${drawReport})((${createPlots})(uPlot, result.outages), result, ${json(words)})</script>
</body>
</html>
`
}
