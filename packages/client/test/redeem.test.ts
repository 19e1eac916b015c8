import type { TokenSet } from '@saoma/protocol'
import type { Answer } from '../src/core/request.ts'
import type { LoginApi } from '../src/login/login-api.ts'
import { redeem } from '../src/login/redeem.ts'

const { jest } = import.meta

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

const refused = (code: string): Answer<TokenSet> => ({ ok: false, code, react: 'retry', message: code })

/** Seconds between the polls that these answers lead to. */
const pausesAfter = async (answers: readonly Answer<TokenSet>[]): Promise<number[]> => {
  const times: number[] = []
  const api = {
    redeem: async () => {
      times.push(performance.now())
      return (
        answers[times.length - 1] ?? { ok: true, value: { access_token: 'a', token_type: 'Bearer', expires_in: 1 } }
      )
    },
  } as unknown as LoginApi
  const { signal } = new AbortController()
  const done = redeem({ api, deviceCode: 'code', windowMs: 600_000, random: () => 1, signal, onFailure: () => {} })
  await jest.runAllTimersAsync()
  expect((await done).ok).toBe(true)
  return times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0)) / 1_000))
}

test('each slow_down adds five seconds to all later polls', async () => {
  const words = ['authorization_pending', 'slow_down', 'authorization_pending', 'slow_down', 'authorization_pending']
  expect(await pausesAfter(words.map(refused))).toEqual([5, 10, 10, 15, 15])
})

test('a server that is away for a while does not shorten the interval', async () => {
  const words = ['slow_down', 'NETWORK', 'authorization_pending']
  expect((await pausesAfter(words.map(refused))).filter((_, i) => i !== 1)).toEqual([10, 10])
})
