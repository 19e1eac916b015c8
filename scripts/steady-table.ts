import { relative } from 'node:path'
import { count, failures, type JestReport } from './jest.ts'

/** One run of the tests; without a report Jest did not get as far as the first of them. */
export interface Run {
  seconds: number
  report?: JestReport
}

/** Whether every run was green: tests ran, and none of them failed. */
export const isSteady = (runs: readonly Run[]): boolean =>
  runs.length > 0 &&
  runs.every(({ report }) => {
    const { passed, failed } = report ? count(report) : { passed: 0, failed: 1 }
    return passed > 0 && failed === 0
  })

/**
 * What became of the runs: a line for each, and one for each test that failed, with the runs in which it did.
 */
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
