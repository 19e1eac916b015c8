import { ok } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { onCleanup, until } from '@saoma/testing'
import type { Client } from '../src/client.ts'
import { createPings } from '../src/pings.ts'
import { openRedis } from './fixtures.ts'

let redis: RedisClients
beforeAll(async () => {
  redis = await openRedis()
})

/** More than a node works on at once, which is fifty. */
const MANY = 120

test('a node that has more answers to pass on than it calls at once does not pause between them', async () => {
  const times: number[] = []
  class Request {}
  const bank = { backchannelPing: async () => void times.push(performance.now()) }
  const pings = createPings(
    {
      redis,
      registry: { find: (id) => ({ id, notificationEndpoint: 'https://bank.example/answered' }) as Client },
      provider: () => ({ Client: { find: async () => bank }, BackchannelAuthenticationRequest: Request }) as never,
      tickets: {
        peek: async (ticket) => ok({ state: { ticket, status: 'confirmed', version: 3, expiresIn: 60 } }),
        authorizationOf: async () => ok(JSON.stringify({ payload: { clientId: 'bank' }, ping: pings.seal('code') })),
      },
    },
    { secrets: ['a secret of thirty-two characters'] },
  )
  onCleanup(pings.close)
  // The node that took the answers has died.
  const due = Array.from({ length: MANY }, (_, i) => [Date.now(), `ticket ${i}`] as const)
  await redis.data.zadd(redis.keys.pingsDue(), ...due.flat())
  await until(
    async () => times.length,
    (count) => count === MANY,
  )
  // It looks every two seconds.
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThan(1_900)
  await until(
    () => redis.data.zcard(redis.keys.pingsDue()),
    (left) => left === 0,
  )
})
