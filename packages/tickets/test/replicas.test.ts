import { createRedis } from '@saoma/redis'
import { onCleanup, startRedisSentinel } from '@saoma/testing'
import { createTickets } from '../src/tickets.ts'
import { make } from './fixtures.ts'

test('losing the replicas while a code is used up does not cost the login', async () => {
  const { url, replicas } = await startRedisSentinel()
  const redis = await createRedis({ url, probeMs: 0, replicas: { count: 1, timeoutMs: 200 } })
  onCleanup(() => redis.close())
  let goes = false
  const tickets = createTickets({
    ...redis,
    reachReplicas: async (...keys) => {
      await redis.reachReplicas(...keys)
      if (goes) await Promise.all(replicas.map((replica) => replica.kill('SIGSTOP')))
    },
  })
  const [code, other] = [await make.confirmed(tickets), await make.confirmed(tickets)]
  goes = true
  expect(await tickets.redeem(code.deviceCode)).toMatchObject({ ok: true, value: { sub: 'owner' } })
  // And gone they are: what is asked now is refused before anything is used up.
  await expect(tickets.redeem(other.deviceCode)).rejects.toThrow('replicas')
  await Promise.all(replicas.map((replica) => replica.kill('SIGCONT')))
  goes = false
  expect(await tickets.redeem(other.deviceCode)).toMatchObject({ ok: true })
})
