import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensurePage, ensurePrograms } from '@saoma/testing'
import { check } from './check.ts'
import { runNode, tool } from './run.ts'

/** What we read of Jest's `--json`. */
interface JestReport {
  numPassedTests: number
  numFailedTests: number
  testResults: { name: string; status: string; message: string; assertionResults: { status: string }[] }[]
}

const say = (sentence: string): void => console.log(sentence)

/** The count of a run. A file that fails without a failed test (it cannot be loaded, or left something running) is one failure. */
export const count = ({ numPassedTests, numFailedTests, testResults }: JestReport) => {
  const failedFiles = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  )
  return { passed: numPassedTests, failed: numFailedTests + failedFiles.length }
}

const runJest = async (args: readonly string[]): Promise<boolean> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-test-'))
  try {
    const report = join(folder, 'report.json')
    const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', tool('jest/bin/jest.js')]
    const code = await runNode([...jest, '--json', `--outputFile=${report}`, ...args])
    // Without a report Jest did not get as far as the first test; it has said why.
    const text = await readFile(report, 'utf8').catch(() => '{"numPassedTests":0,"numFailedTests":1,"testResults":[]}')
    const { passed, failed } = count(JSON.parse(text))
    say(`${passed} passed, ${failed} failed`)
    return code === 0 && failed === 0 && passed > 0
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const main = async (): Promise<boolean> => {
  const failed = await check()
  if (failed.length > 0) throw new Error(`The check failed, so no test was run: ${failed.join(', ')}.`)
  await ensurePrograms(['redis', 'nginx', 'chromium'], say)
  await ensurePage(say)
  return runJest(process.argv.slice(2))
}

if (import.meta.main)
  main().then(
    (passed) => {
      process.exitCode = passed ? 0 : 1
    },
    (error: unknown) => {
      say(error instanceof Error ? error.message : String(error))
      process.exitCode = 1
    },
  )
