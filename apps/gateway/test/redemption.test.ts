import { createRedis } from '@saoma/redis'
import {
  confirm,
  createTicket,
  onCleanup,
  phoneToken,
  redeem,
  refresh,
  request,
  scan,
  startGateway,
  startRedis,
  startRedisCluster,
  until,
} from '@saoma/testing'
import { openOperator } from './fixtures.ts'

/*
 * What a login gives lies on several shards of a Redis Cluster. Whichever of them refuses writes, its code is
 * good for another try.
 */

const LOGINS = 6

test('a redemption that any shard refused passes when repeated, and is one session', async () => {
  const { url, nodes } = await startRedisCluster()
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://redemption.test' })
  const masters = await Promise.all(nodes.map((node) => openOperator(node.url)))
  const logins = await Promise.all(
    Array.from({ length: LOGINS }, async (_, i) => {
      const phone = await phoneToken(origin, `person-${i}`)
      const { ticket, device_code: code } = await createTicket(origin)
      await scan(origin, ticket, phone)
      expect((await confirm(origin, ticket, phone)).status).toBe(200)
      return { code, phone }
    }),
  )
  const unredeemed = new Set(logins)
  const refused = new Set<(typeof logins)[number]>()

  for (const master of masters) {
    await master.call('CONFIG', 'SET', 'min-replicas-to-write', '1')
    for (const login of unredeemed) {
      const { status } = await redeem(origin, login.code)
      expect([200, 503]).toContain(status)
      if (status === 503) refused.add(login)
      else unredeemed.delete(login)
    }
    await master.call('CONFIG', 'SET', 'min-replicas-to-write', '0')
  }
  expect(refused.size).toBeGreaterThan(0)

  for (const { code } of unredeemed) {
    const answer = await until(
      () => redeem(origin, code),
      ({ status }) => status !== 503,
    )
    expect(answer).toMatchObject({ status: 200, body: { refresh_token: expect.any(String) } })
  }
  for (const { code, phone } of logins) {
    expect(await redeem(origin, code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    const { body } = await request<{ sessions: unknown[] }>(`${origin}/v1/sessions`, { bearer: phone })
    expect(body.sessions).toHaveLength(1)
  }
})

test('a ticket of an older node can be redeemed, also again after half a failure', async () => {
  const { url } = await startRedis()
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://redemption.test' })
  const phone = await phoneToken(origin, 'anna')
  const { ticket, device_code: code } = await createTicket(origin)
  const { data, keys, close } = await createRedis({ url, probeMs: 0 })
  onCleanup(close)
  // Before a redemption could be repeated, a ticket said nothing of what its first token is named after.
  const { salt, ...older } = JSON.parse((await data.hget(keys.ticket(ticket), 'authorization')) ?? '')
  expect(salt).toEqual(expect.any(String))
  await data.hset(keys.ticket(ticket), 'authorization', JSON.stringify(older))
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)

  const answers = await Promise.all([redeem(origin, code), redeem(origin, code)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
  const { body } = answers.find(({ status }) => status === 200) ?? answers[0]
  expect((await refresh(origin, body.refresh_token)).status).toBe(200)
})

test('beside a node of the version before, a session is stored in the form which that node reads', async () => {
  const { url } = await startRedis()
  const { data, keys, close } = await createRedis({ url, probeMs: 0 })
  onCleanup(close)
  await data.set(keys.clusterVersion(), 1)
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://redemption.test' })
  const phone = await phoneToken(origin, 'anna')
  const { ticket, device_code: code } = await createTicket(origin)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)

  const { body } = await redeem(origin, code)
  const records = [...(await data.keys(keys.oidc('Grant', '*'))), ...(await data.keys(keys.oidc('RefreshToken', '*')))]
  const stored = await Promise.all(records.map(async (key) => JSON.parse((await data.hget(key, 'payload')) ?? '{}')))
  expect(stored.map(({ kind, clientId }) => [kind, clientId])).toEqual([
    ['Grant', 'web'],
    ['RefreshToken', 'web'],
  ])
  expect((await refresh(origin, body.refresh_token)).status).toBe(200)
  expect(await data.get(keys.clusterVersion())).toBe('1')
})

test('a code whose use a failover lost gives the same session and tokens again', async () => {
  const { url } = await startRedis()
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://redemption.test' })
  const phone = await phoneToken(origin, 'anna')
  const { ticket, device_code: code } = await createTicket(origin)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
  const { data, keys, close } = await createRedis({ url, probeMs: 0 })
  onCleanup(close)
  const confirmed = await data.dumpBuffer(keys.ticket(ticket))
  const lose = () => data.restore(keys.ticket(ticket), 60_000, confirmed, 'REPLACE')

  const { body: first } = await redeem(origin, code)
  await lose()
  const { body: second } = await redeem(origin, code)
  expect(second.refresh_token).toBe(first.refresh_token)
  // Also when the page has gone on from there.
  const { body: next } = await refresh(origin, first.refresh_token)
  await lose()
  const { body: third } = await redeem(origin, code)
  expect(third.refresh_token).toBe(first.refresh_token)
  expect((await refresh(origin, third.refresh_token)).body.refresh_token).toBe(next.refresh_token)
  const { body } = await request<{ sessions: unknown[] }>(`${origin}/v1/sessions`, { bearer: phone })
  expect(body.sessions).toHaveLength(1)
})
