import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runNode, tool } from './run.ts'

/** What we read of Jest's `--json`. */
export interface JestReport {
  numPassedTests: number
  numFailedTests: number
  testResults: { name: string; status: string; assertionResults: { fullName: string; status: string }[] }[]
}

/** A file that fails without a failed test: it cannot be loaded, or left something running. */
const failsAsAWhole = ({ status, assertionResults }: JestReport['testResults'][number]): boolean =>
  status === 'failed' && assertionResults.every((test) => test.status !== 'failed')

/** The count of a run; a file that fails as a whole is one failure. */
export const count = ({ numPassedTests, numFailedTests, testResults }: JestReport) => ({
  passed: numPassedTests,
  failed: numFailedTests + testResults.filter(failsAsAWhole).length,
})

/** What failed in a run: a file and a test each, or a file alone. */
export const failures = ({ testResults }: JestReport): { file: string; test?: string }[] =>
  testResults.flatMap((file) => {
    if (failsAsAWhole(file)) return [{ file: file.name }]
    const failed = file.assertionResults.filter(({ status }) => status === 'failed')
    return failed.map(({ fullName }) => ({ file: file.name, test: fullName }))
  })

/**
 * Runs Jest in front of the person's eyes. Without a report it did not get as far as the first test, and has
 * said why.
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
