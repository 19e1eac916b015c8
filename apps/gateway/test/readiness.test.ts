import { connect, whenReady } from '@saoma/redis'
import { attemptTicket, metricOf, onCleanup, request, startGateway, startRedis, until } from '@saoma/testing'

interface Ready {
  ok: boolean
  reasons: string[]
}

test('a node whose Redis is full says so at /readyz, in a metric and in its log, and that it is over', async () => {
  const redis = await startRedis()
  const origin = 'http://127.0.0.1:8080'
  const node = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin })
  const operator = connect({ url: redis.url, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  const ready = () => request<Ready>(`${node.internalOrigin}/readyz`)
  await until(ready, ({ body }) => body.ok)

  await operator.call('CONFIG', 'SET', 'maxmemory', '1')
  const { status } = await until(ready, ({ body }) =>
    ['redis:data:OOM', 'redis:pub:OOM'].every((reason) => body.reasons.includes(reason)),
  )
  expect(status).toBe(503)
  expect((await attemptTicket(node.origin)).status).toBe(503)
  expect(await metricOf(node, 'saoma_redis_refuses\\{client="data",reason="OOM"\\}')).toBe(1)
  expect(await metricOf(node, 'saoma_redis_up\\{client="data"\\}')).toBe(0)
  await node.nextLine(({ json }) => json?.level === 'error' && json.client === 'data' && json.refuses === 'OOM')

  await operator.call('CONFIG', 'SET', 'maxmemory', '0')
  await until(ready, ({ body }) => body.ok)
  expect(await metricOf(node, 'saoma_redis_refuses\\{client="data",reason="OOM"\\}')).toBeNaN()
  await node.nextLine(({ json }) => json?.client === 'data' && json.msg === 'Redis takes writes again', 15_000)
})
