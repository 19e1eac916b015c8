import type { EndNotice } from '@saoma/protocol'
import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, startRedis, startRedisCluster } from '@saoma/testing'
import { type OpenSessionsOptions, openSessions } from '../src/open-sessions.ts'
import type { EndedSession } from '../src/session-ends.ts'
import type { SessionRecord } from '../src/sessions.ts'

const TIMES = { confirmMs: 60_000, redeemMs: 60_000 }
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const record = (sid: string, given: Partial<SessionRecord> = {}): SessionRecord => ({
  sid,
  ...{ client: 'web', app: 'Shop', ip: '203.0.113.7', browser: 'Firefox 140', os: 'Linux' },
  since: new Date().toISOString(),
  ...given,
})

/** The sessions of one Redis, as two nodes have them. */
const openNodes = async (url: string) => {
  const clients: RedisClients[] = []
  for (const _ of [1, 2]) {
    const redis = await createRedis({ url, probeMs: 0 })
    onCleanup(() => redis.close())
    clients.push(redis)
  }
  const told: EndedSession[] = []
  const open = (redis: RedisClients, options: Partial<OpenSessionsOptions> = {}) => {
    const opened = openSessions(redis, {
      origin: 'http://end.test',
      times: TIMES,
      onSessionEnded: async (session) => void told.push(session),
      ...options,
    })
    const { sessions, grants } = opened
    const begin = async (sub: string, entry: SessionRecord, scannedAfter?: string): Promise<boolean> => {
      const save = async () => void (await grants.adapter.upsert(entry.sid, { kind: 'Grant', accountId: sub }, 60))
      const beginning = await sessions.begin(sub, entry, save, scannedAfter)
      return beginning ? beginning.stands : false
    }
    return { ...opened, begin }
  }
  const [first, second] = clients
  if (!first || !second) throw new Error('there are no clients')
  return { redis: first, a: open(first), b: open(second), open, told }
}

let standalone: Awaited<ReturnType<typeof openNodes>>
beforeAll(async () => {
  standalone = await openNodes((await startRedis()).url)
})

test('a login that was scanned before an end of all gets nothing, and one that was scanned after it does', async () => {
  const { a, b, redis } = standalone
  const before = await a.sessions.lastEnd('anna')
  expect(before).toBe('')
  expect(await b.sessions.endAll('anna')).toBe(0)
  expect(await a.begin('anna', record('anna-1'), before)).toBe(false)
  expect(await a.grants.hasSession('anna-1')).toBe(false)
  const after = await a.sessions.lastEnd('anna')
  expect(await a.begin('anna', record('anna-2'), after)).toBe(true)

  expect(await a.sessions.endAll('anna', 'anna-2')).toBe(0)
  // A page may ask again for the tokens of a session that was kept.
  expect(await b.begin('anna', record('anna-2'), after)).toBe(true)
  expect(await b.begin('anna', record('anna-3'), after)).toBe(false)
  // A node of a former version took the scan.
  expect(await b.begin('anna', record('anna-4'))).toBe(true)
  const left = await redis.data.pttl(redis.keys.sessionsEnd('anna'))
  expect(left).toBeGreaterThan(TIMES.confirmMs + TIMES.redeemMs)
  expect(left).toBeLessThanOrEqual(TIMES.confirmMs + TIMES.redeemMs + 60_000)
})

test('when the end is forgotten a login scanned before or after it passes', async () => {
  const { a, redis } = standalone
  await a.sessions.endAll('bert')
  const after = await a.sessions.lastEnd('bert')
  await redis.data.unlink(redis.keys.sessionsEnd('bert'))
  expect(await a.begin('bert', record('bert-1'), after)).toBe(true)
  expect(await a.begin('bert', record('bert-2'), '')).toBe(true)
})

const races = [
  ['one Redis', 4_000, async () => standalone],
  ['a Redis Cluster', 1_000, async () => openNodes((await startRedisCluster()).url)],
] as const
test.each(races)('in %s no session lives of a login that raced an end of all', async (_, rounds, nodesOf) => {
  const { a, b } = await nodesOf()
  const seen = { refused: 0, ended: 0 }
  const race = async (round: number): Promise<void> => {
    const [sub, sid] = [`race-${round % 20}`, `race-${round}`]
    const scannedAfter = await a.sessions.lastEnd(sub)
    const ending = (async () => {
      for (const _ of numbers(round % 37)) await new Promise((resolve) => setImmediate(resolve))
      await b.sessions.endAll(sub)
      // From here on nothing that was scanned before may live, whatever is still under way.
      return b.grants.hasSession(sid)
    })()
    const [begun, livesAfter] = await Promise.all([a.begin(sub, record(sid), scannedAfter), ending])
    seen[begun ? 'ended' : 'refused']++
    const again = await b.begin(sub, record(sid), scannedAfter)
    expect({ round, again, lives: await a.grants.hasSession(sid) }).toEqual({ round, again: false, lives: false })
    // A beginning that was refused may have written its grant and not yet deleted it.
    if (begun) expect({ round, livesAfter }).toEqual({ round, livesAfter: false })
    expect((await a.sessions.list(sub)).filter((session) => session.sid === sid)).toEqual([])
  }
  for (let round = 0; round < rounds; round += 20) await Promise.all(numbers(20).map((i) => race(round + i)))
  // Otherwise nothing was raced.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
})

test('an end that was interrupted anywhere is completed by the same call', async () => {
  const { a, b, redis, told } = standalone
  await a.begin('carl', record('carl-1'))
  await a.begin('carl', record('carl-2'))
  // The node died after its one step: all are marked, and both grants are there.
  await a.marks.beginAll('carl')
  expect([await b.grants.hasSession('carl-1'), await b.grants.hasSession('carl-2')]).toEqual([true, true])
  const notice: EndNotice = { code: 'REVOKED', reason: 'Your account was closed.' }
  expect(await b.sessions.endAll('carl', undefined, notice)).toBe(2)
  expect(told.filter(({ sub }) => sub === 'carl').sort((x, y) => x.sid.localeCompare(y.sid))).toEqual([
    { sub: 'carl', sid: 'carl-1', ...notice },
    { sub: 'carl', sid: 'carl-2', ...notice },
  ])
  expect(await a.sessions.endAll('carl')).toBe(0)
  expect(await redis.data.exists(redis.keys.sessionsEnd('carl'))).toBe(1)
})

test('in a full Redis all sessions can be ended', async () => {
  const { redis, a } = await openNodes((await startRedis()).url)
  await a.begin('dora', record('dora-1'))
  await redis.data.call('CONFIG', 'SET', 'maxmemory', '1')
  await expect(redis.data.set('x', 'y')).rejects.toThrow('OOM')
  expect(await a.sessions.endAll('dora', undefined, { code: 'REVOKED', reason: 'Good bye.' })).toBe(1)
  expect(await a.grants.hasSession('dora-1')).toBe(false)
  expect(await a.sessions.lastEnd('dora')).not.toBe('')
})

const sidsOf = (sessions: readonly SessionRecord[]) => sessions.map(({ sid }) => sid).sort()

test('with one browser at a time the older one ends, and is told that it was replaced', async () => {
  const { redis, open, told } = standalone
  const node = open(redis, { sessionLimits: { most: 100, ofKind: { web: 1 } } })
  // By the clocks of their tickets the second login was before the first.
  expect(await node.begin('eve', record('eve-1', { since: '2026-01-01T00:00:09.000Z' }))).toBe(true)
  expect(await node.begin('eve', record('eve-2', { since: '2026-01-01T00:00:01.000Z' }))).toBe(true)
  expect(await node.sessions.list('eve')).toEqual([record('eve-2', { since: '2026-01-01T00:00:01.000Z' })])
  expect(told.filter(({ sub }) => sub === 'eve')).toEqual([{ sub: 'eve', sid: 'eve-1', code: 'REPLACED' }])
  // A page that repeats its redemption stays.
  expect(await node.begin('eve', record('eve-2'))).toBe(true)
})

test('limits count kinds of devices, and all sessions', async () => {
  const { redis, open } = standalone
  const node = open(redis, { sessionLimits: { most: 3, ofKind: { computer: 1, phone: 2 } } })
  const os = ['Android 15', 'iOS 26.1', 'HarmonyOS 5', 'macOS Sequoia', '', 'iOS 26.2']
  const lists: string[][] = []
  for (const [i, system] of os.entries()) {
    await node.begin('fred', record(`fred-${i}`, { os: system }))
    lists.push(sidsOf(await node.sessions.list('fred')))
  }
  expect(lists).toEqual([
    ['fred-0'],
    ['fred-0', 'fred-1'],
    ['fred-1', 'fred-2'],
    ['fred-1', 'fred-2', 'fred-3'],
    ['fred-1', 'fred-2', 'fred-4'],
    ['fred-2', 'fred-4', 'fred-5'],
  ])
})

test('of many logins at once exactly one is left with a limit of one', async () => {
  const { redis, open } = standalone
  const limits = { sessionLimits: { most: 1, ofKind: {} } }
  const nodes = [open(redis, limits), open(redis, limits)]
  for (const round of numbers(60)) {
    const sub = `gina-${round}`
    const begun = await Promise.all(numbers(6).map((i) => nodes[i % 2]?.begin(sub, record(`${sub}-${i}`))))
    const left = sidsOf((await nodes[0]?.sessions.list(sub)) ?? [])
    expect({ round, left: left.length }).toEqual({ round, left: 1 })
    expect(begun[Number(left[0]?.split('-').at(-1))]).toBe(true)
  }
})

test('a login that is slow between its steps does not pass a limit of one', async () => {
  const { redis, open } = standalone
  const node = open(redis, { sessionLimits: { most: 1, ofKind: {} } })
  let go = () => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  let arrive = () => {}
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const slow = node.sessions.begin('hana', record('hana-1'), async () => {
    arrive()
    await gate
    await node.grants.adapter.upsert('hana-1', { kind: 'Grant', accountId: 'hana' }, 60)
  })
  await arrived
  expect(await node.begin('hana', record('hana-2'))).toBe(true)
  go()
  expect(await (await slow)?.stands).toBe(false)
  expect(sidsOf(await node.sessions.list('hana'))).toEqual(['hana-2'])
})

test.each([
  ['ines', 'entered nothing'],
  ['ivan', 'entered an application'],
])('a session that begins by a clock that went back is the newest: that of %s has %s', async (sub) => {
  const { redis, open } = standalone
  const node = open(redis, { sessionLimits: { most: 1, ofKind: {} } })
  await node.begin(sub, record(`${sub}-1`))
  const { data, keys } = redis
  const entry = JSON.parse((await data.hget(keys.sessions(sub), `${sub}-1`)) ?? '')
  // As after a failover to a machine whose clock is an hour behind.
  await data.hset(keys.sessions(sub), `${sub}-1`, JSON.stringify({ ...entry, at: entry.at + 3_600_000 }))
  if (sub === 'ivan') await node.sessions.addApplication(sub, `${sub}-1`, { client: 'wiki', name: 'Wiki' })
  expect(await node.begin(sub, record(`${sub}-2`))).toBe(true)
  expect(sidsOf(await node.sessions.list(sub))).toEqual([`${sub}-2`])
})
