import { connect, whenReady } from '@saoma/redis'
import { attemptTicket, metricOf, onCleanup, publish, request, startGateway, startRedis, until } from '@saoma/testing'
import { openOperator } from './fixtures.ts'

interface Ready {
  ok: boolean
  reasons: string[]
}

test('a node reports a full Redis, and its end, at /readyz, in a metric and in its log', async () => {
  const redis = await startRedis()
  const origin = 'http://127.0.0.1:8080'
  const node = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin })
  const operator = await openOperator(redis.url)
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

test('calls answer 503 and /readyz says why when the Redis user loses a right', async () => {
  const redis = await startRedis({ user: { name: 'saoma', rights: '~* &* +@all' }, password: 'pw' })
  const node = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://127.0.0.1:8080' })
  const operator = connect({ ...redis.operator, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  const ready = () => request<Ready>(`${node.internalOrigin}/readyz`)
  await until(ready, ({ body }) => body.ok)
  const say = () => publish(node.origin, { channel: 'room:open', event: 'e', data: 1 })
  expect((await say()).status).toBe(200)

  await operator.call('ACL', 'SETUSER', 'saoma', '-xadd')
  expect((await say()).status).toBe(503)
  const { body } = await until(ready, ({ status }) => status === 503)
  expect(body.reasons).toEqual(['redis:data:NOPERM'])
  const { json } = await node.nextLine(({ json }) => json?.refuses === 'NOPERM')
  expect(json?.message).toMatch(/: ACL SETUSER saoma \+xadd$/)

  await operator.call('ACL', 'SETUSER', 'saoma', '+xadd')
  await until(ready, ({ body }) => body.ok)
  expect((await say()).status).toBe(200)
})
