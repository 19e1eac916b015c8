import { wxLoginCode } from '../src/logic/tokens.ts'

test('a silent WeChat keeps nobody waiting for ever', async () => {
  import.meta.jest.useFakeTimers()
  const refused = expect(wxLoginCode({ login: () => {} })).rejects.toThrow('login:fail no answer')
  import.meta.jest.advanceTimersByTime(10_000)
  await refused
})

test('a code that arrives leaves no timer behind', async () => {
  import.meta.jest.useFakeTimers()
  expect(await wxLoginCode({ login: ({ success }) => success({ code: 'c' }) })).toBe('c')
  expect(import.meta.jest.getTimerCount()).toBe(0)
})
