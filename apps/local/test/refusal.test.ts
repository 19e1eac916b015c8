import { refusalOf } from '../src/refusal.ts'

test('a node’s message to a person stands alone, without its log', () => {
  const message =
    'node a ended (exit code 1):\n{"level":30}\nThe settings have 1 problem(s):\n  SAOMA_X must be a number\n'
  expect(refusalOf(message)).toBe('The settings have 1 problem(s):\n  SAOMA_X must be a number')
})

test.each([
  ['node a ended (exit code 1):\nError: broken\n    at start (main.ts:1:1)'],
  ['node a ended (SIGKILL):\nlast words'],
  ['node a ended (exit code 1):\n{"level":60}'],
  ['shop ended (exit code 1):\nThe settings have 1 problem(s):'],
])('%j is reported as a whole', (message) => {
  expect(refusalOf(message)).toBeUndefined()
})
