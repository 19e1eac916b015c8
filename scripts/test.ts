import { applicationPackages, ensurePage, ensurePrograms, tryPackages } from '@saoma/testing'
import { check } from './check.ts'
import { fastTests } from './fast-tests.ts'
import { count, runJest } from './jest.ts'
import { longTests, WITH_LONG_TESTS } from './long-tests.ts'
import { root } from './run.ts'

const say = (sentence: string): void => console.log(sentence)

/** Runs the check and prepares everything that the tests need. Throws if the check fails. */
export const prepareTests = async (): Promise<void> => {
  const failed = await check()
  if (failed.length > 0) throw new Error(`The check failed, so no test was run: ${failed.join(', ')}.`)
  await ensurePrograms(['redis', 'nginx', 'curl', 'chromium'], say)
  await tryPackages(applicationPackages, say)
  await ensurePage(say)
}

/** Tests that need neither Redis nor another process, without the check, for use while writing code. */
const FAST = '--fast'
/** The tests of long-tests.ts, and no others. They also run if somebody names files. */
const LONG = '--long'

const main = async (): Promise<boolean> => {
  const args = process.argv.slice(2)
  const [isFast, isLong] = [args.includes(FAST), args.includes(LONG)]
  if (isLong || args.some((arg) => !arg.startsWith('-'))) process.env[WITH_LONG_TESTS] = '1'
  if (!isFast) await prepareTests()
  const { code, report } = await runJest([
    ...args.filter((arg) => arg !== FAST && arg !== LONG),
    ...(isFast ? ['--runTestsByPath', ...fastTests(root)] : []),
    ...(isLong ? ['--runTestsByPath', ...longTests] : []),
  ])
  const { passed, failed } = report ? count(report) : { passed: 0, failed: 1 }
  say(`${passed} passed, ${failed} failed`)
  return code === 0 && failed === 0 && passed > 0
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
