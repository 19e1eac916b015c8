import { fileURLToPath } from 'node:url'
import { plainEnv, startProcess, until } from '@saoma/testing'

const script = fileURLToPath(new URL('../../../scripts/steady.ts', import.meta.url))
/** A test file that takes no time. */
const QUICK = 'packages/client/test/backoff'

const startSteady = (...args: string[]) =>
  startProcess({
    name: 'steady',
    command: process.execPath,
    args: [script, '--no-check', '--workers', '1', ...args],
    env: plainEnv(),
  })
const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const loopOf = async (steady: Awaited<ReturnType<typeof startSteady>>): Promise<number> =>
  Number((await steady.nextLine(({ text }) => text.startsWith('loop '))).text.split(' ').at(-1))

// The loops end too.
test('the tests run the given number of times beside loops and end with the failures', async () => {
  const steady = await startSteady('--runs', '2', '--loops', '1', QUICK)
  const loop = await loopOf(steady)
  expect(await steady.exited).toEqual({ code: 0, signal: null })
  const text = steady.lines.map((line) => line.text)
  expect(text.filter((line) => /^run 2: [1-9]\d* passed, 0 failed, \d+ s$/.test(line))).toHaveLength(1)
  expect(text.at(-1)).toBe('Steady: nothing failed.')
  expect(lives(loop)).toBe(false)
})

test('runs without tests are not steady', async () => {
  const steady = await startSteady('--runs', '1', '--loops', '0', '--only', 'there is no such test', QUICK)
  expect(await steady.exited).toEqual({ code: 1, signal: null })
  expect(steady.lines.at(-1)?.text).toBe('Not steady.')
})

test('a number that makes no sense is refused', async () => {
  const steady = await startSteady('--runs', 'many')
  expect(await steady.exited).toEqual({ code: 1, signal: null })
  expect(steady.lines.map(({ text }) => text)).toEqual(['--runs is a whole number from 1 to 1000, not many'])
})

test('the loops do not outlive it, even when it is killed', async () => {
  const steady = await startSteady('--runs', '1', '--loops', '1', QUICK)
  const loop = await loopOf(steady)
  await steady.kill('SIGKILL')
  const isAlive = await until(
    async () => lives(loop),
    (alive) => !alive,
  )
  expect(isAlive).toBe(false)
})
