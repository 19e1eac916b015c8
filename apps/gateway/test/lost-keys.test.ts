import { createKeys } from '@saoma/redis'
import { request, startGateway, startRedis, testAdminKey, until } from '@saoma/testing'
import { enter, keysOf, type Made, operatorsOf, ROOMS, say, startNodes, statusOf, untilStatus } from './key-fixtures.ts'

/* API keys in a Redis that loses data, messages, or itself. */

describe('a Redis that lost its newest writes', () => {
  const at = createKeys('saoma').apiKeys()

  test('a revocation that a failover lost is made again, and a rotation is put back', async () => {
    const redis = await startRedis()
    const [a, b] = await startNodes(redis.url)
    const [operator] = await operatorsOf([redis.url])
    const revoked = await keysOf(a).make({ name: 'revoked', ...ROOMS })
    const former = await keysOf(a).make({ name: 'turned', ...ROOMS })
    await untilStatus(b, former, 200)
    const before = (await operator?.hgetall(at)) ?? {}
    await keysOf(a).revoke('revoked')
    const { key } = (await keysOf(a).rotate('turned', { overlapSeconds: 0 })).body
    await untilStatus(b, key, 200)

    await operator?.del(at)
    await operator?.hset(at, before)
    await operator?.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until(
      async () => Object.keys((await operator?.hgetall(at)) ?? {}),
      (fields) => !fields.includes('revoked'),
    )
    await until(
      async () => (await operator?.hget(at, 'turned')) ?? '',
      (record) => record !== before.turned,
    )
    const fresh = await startGateway({ redisUrl: redis.url, nodeId: 'c', origin: 'http://127.0.0.1' })
    for (const node of [a, b, fresh]) {
      expect(await statusOf(node, revoked)).toBe(401)
      expect(await statusOf(node, former)).toBe(401)
      expect(await statusOf(node, key)).toBe(200)
    }
  })

  test('a change that nobody published is noticed', async () => {
    const redis = await startRedis()
    const [a, b] = await startNodes(redis.url)
    const [operator] = await operatorsOf([redis.url])
    const key = await keysOf(a).make({ name: 'quiet', ...ROOMS })
    await untilStatus(b, key, 200)
    const [id = ''] = ((await operator?.hget(at, 'quiet')) ?? '').split(' ')
    await operator?.hdel(at, 'quiet')
    await operator?.hset(at, { [`!${id}`]: `${Date.now() + 86_400_000} quiet`, '.': 'another' })
    for (const node of [a, b]) await untilStatus(node, key, 401)
  })

  test('without Redis the known keys stay known', async () => {
    const redis = await startRedis()
    const [a, b] = await startNodes(redis.url)
    const key = await keysOf(a).make({ name: 'shop', ...ROOMS })
    await untilStatus(b, key, 200)
    const socket = await enter(b, key)
    await redis.stop()
    for (const node of [a, b]) {
      expect(await say(node, key)).toMatchObject({ status: 503, body: { code: 'REDIS_UNAVAILABLE' } })
      expect(await statusOf(node, `saoma_shop_${'x'.repeat(43)}`)).toBe(401)
    }
    expect(await keysOf(a).revoke('shop')).toMatchObject({ status: 503 })
    // It comes back without its data.
    const again = await startRedis({ port: redis.port })
    const [operator] = await operatorsOf([again.url])
    await until(
      async () => (await operator?.hkeys(at)) ?? [],
      (fields) => fields.includes('shop'),
    )
    for (const node of [a, b]) await untilStatus(node, key, 200)
    expect(socket.pending('ended')).toEqual([])
  })
})

test('a node that starts knows the keys before it serves, and notes when they are used', async () => {
  const redis = await startRedis()
  const [a] = await startNodes(redis.url)
  const key = await keysOf(a).make({ name: 'shop', ...ROOMS })
  const late = await startGateway({ redisUrl: redis.url, nodeId: 'c', origin: 'http://127.0.0.1' })
  expect(await statusOf(late, key)).toBe(200)
  expect((await keysOf(a).list()).body.keys.find(({ name }) => name === 'shop')).not.toHaveProperty('firstUsedAt')
  // What it knows it writes at the latest when it ends.
  await late.stop()
  const listed = (await keysOf(a).list()).body.keys.find(({ name }) => name === 'shop')
  expect(listed).toMatchObject({ firstUsedAt: expect.any(String), lastUsedAt: expect.any(String) })
  const entries = await request<{ entries: { kind: string; key?: string; by?: string; reason?: string }[] }>(
    `${a.internalOrigin}/v1/admin/audit?kind=key`,
    { bearer: testAdminKey },
  )
  expect(entries.body.entries).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'key.made', key: 'shop', by: 'backend', reason: 'admin' }),
      expect.objectContaining({ kind: 'key.used', key: 'shop' }),
    ]),
  )
  expect(JSON.stringify(a.lines)).not.toContain((await keysOf(a).rotate('shop')).body.key satisfies Made['key'])
})
