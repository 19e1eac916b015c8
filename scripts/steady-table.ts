import { relative } from 'node:path'
import { count, failures, type JestReport } from './jest.ts'

/** One run of the tests. Without a report Jest failed before the first test. */
export interface Run {
  seconds: number
  report?: JestReport
}

/** Whether every run passed: tests ran, and none failed. */
export const isSteady = (runs: readonly Run[]): boolean =>
  runs.length > 0 &&
  runs.every(({ report }) => {
    const { passed, failed } = report ? count(report) : { passed: 0, failed: 1 }
    return passed > 0 && failed === 0
  })

/** A line for each run, and a line for each failed test with the runs in which it failed. */
export const tableOf = (runs: readonly Run[], root: string): string[] => {
  const failedIn = new Map<string, number[]>()
  const lines = runs.map(({ seconds, report }, i) => {
    const { passed, failed } = report ? count(report) : { passed: 0, failed: 1 }
    for (const { file, test } of report ? failures(report) : [{ file: root, test: 'Jest itself' }]) {
      const name = [relative(root, file), test].filter(Boolean).join(' › ')
      failedIn.set(name, [...(failedIn.get(name) ?? []), i + 1])
    }
    return `run ${i + 1}: ${passed} passed, ${failed} failed, ${Math.round(seconds)} s`
  })
  const most = [...failedIn].sort(([, a], [, b]) => b.length - a.length)
  return [
    ...lines,
    ...most.map(([name, in_]) => `failed in ${in_.length} of ${runs.length} (run ${in_.join(', ')}): ${name}`),
    isSteady(runs) ? 'Steady: nothing failed.' : 'Not steady.',
  ]
}
