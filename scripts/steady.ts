/*
 * Runs the tests repeatedly on a machine that it keeps busy, and lists the failures of each run. A test that
 * passes only on an idle machine depends on luck.
 *
 *   npm run steady                                               five runs of everything, beside two loops
 *   npm run steady -- --runs 20 --loops 4 packages/wechat/test   some of it, more often, on a busier machine
 */

import { parseArgs } from 'node:util'
import { cleanUp, startProcess } from '@saoma/testing'
import { runJest } from './jest.ts'
import { WITH_LONG_TESTS } from './long-tests.ts'
import { root } from './run.ts'
import { isSteady, type Run, tableOf } from './steady-table.ts'
import { prepareTests } from './test.ts'

const USAGE = `npm run steady -- [--runs 5] [--loops 2] [--workers N] [--only NAME] [--no-check] [paths]

  --runs N       how often the tests run (1 to 1000)
  --loops N      how many endless loops keep the processors busy meanwhile (0 to 64)
  --workers N    how many test files run at once; jest.config.js says how many without it
  --only NAME    runs only tests whose name matches
  --no-check     leaves out format, lint, types and boundaries
  paths          runs only test files whose path matches`

const MOST_RUNS = 1_000
const MOST_LOOPS = 64

const readNumber = (name: string, text: string, least: number, most: number): number => {
  const number = Number(text)
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw new TypeError(`--${name} is a whole number from ${least} to ${most}, not ${text}`)
}

const readOptions = () => {
  const { values, positionals } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      loops: { type: 'string', default: '2' },
      workers: { type: 'string' },
      only: { type: 'string' },
      'no-check': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const { workers, only } = values
  return {
    help: values.help,
    checks: !values['no-check'],
    runs: readNumber('runs', values.runs, 1, MOST_RUNS),
    loops: readNumber('loops', values.loops, 0, MOST_LOOPS),
    jest: [
      ...(workers === undefined ? [] : [`--maxWorkers=${readNumber('workers', workers, 1, MOST_LOOPS)}`]),
      ...(only === undefined ? [] : [`--testNamePattern=${only}`]),
      ...positionals,
    ],
  }
}

const main = async (): Promise<boolean> => {
  // Here somebody waits for hours anyway.
  process.env[WITH_LONG_TESTS] = '1'
  const { help, checks, runs: wanted, loops, jest } = readOptions()
  if (help) {
    console.log(USAGE)
    return true
  }
  if (checks) await prepareTests()
  // Processes of `startProcess` end with this one, even if it is killed.
  for (let i = 1; i <= loops; i++) {
    const { pid } = await startProcess({ name: `loop ${i}`, command: process.execPath, args: ['-e', 'for (;;);'] })
    console.log(`loop ${i} is process ${pid}`)
  }
  const runs: Run[] = []
  while (runs.length < wanted) {
    console.log(`\nrun ${runs.length + 1} of ${wanted}, beside ${loops} endless loops`)
    const start = performance.now()
    const { report } = await runJest(jest)
    runs.push({ seconds: (performance.now() - start) / 1_000, ...(report ? { report } : {}) })
    // After each run, because the user may stop at any time.
    console.log(`\n${tableOf(runs, root).join('\n')}`)
  }
  return isSteady(runs)
}

main()
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    return false
  })
  .then(async (steady) => {
    process.exitCode = steady ? 0 : 1
    await cleanUp()
  })
