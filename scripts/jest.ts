import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runNode, tool } from './run.ts'

/** The parts of Jest's `--json` that the scripts read. */
export interface JestReport {
  numPassedTests: number
  numFailedTests: number
  testResults: { name: string; status: string; assertionResults: { fullName: string; status: string }[] }[]
}

/** A file that fails although no test failed: it could not be loaded, or left something running. */
const failsAsAWhole = ({ status, assertionResults }: JestReport['testResults'][number]): boolean =>
  status === 'failed' && assertionResults.every((test) => test.status !== 'failed')

/** The totals of a run. A file that fails as a whole counts as one failure. */
export const count = ({ numPassedTests, numFailedTests, testResults }: JestReport) => ({
  passed: numPassedTests,
  failed: numFailedTests + testResults.filter(failsAsAWhole).length,
})

/** The failures of a run: a file and a test, or a file that failed as a whole. */
export const failures = ({ testResults }: JestReport): { file: string; test?: string }[] =>
  testResults.flatMap((file) => {
    if (failsAsAWhole(file)) return [{ file: file.name }]
    const failed = file.assertionResults.filter(({ status }) => status === 'failed')
    return failed.map(({ fullName }) => ({ file: file.name, test: fullName }))
  })

/**
 * Runs Jest with its output on the terminal. Without a report, Jest failed before the first test and has
 * printed why.
 */
export const runJest = async (args: readonly string[]): Promise<{ code: number; report?: JestReport }> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-test-'))
  try {
    const file = join(folder, 'report.json')
    const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', tool('jest/bin/jest.js')]
    const code = await runNode([...jest, '--json', `--outputFile=${file}`, ...args])
    const text = await readFile(file, 'utf8').catch(() => undefined)
    return text === undefined ? { code } : { code, report: JSON.parse(text) as JestReport }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
