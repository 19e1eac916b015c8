import { type RedisClients, RedisUnavailable } from '@saoma/redis'
import { createGrants } from '../src/grants.ts'
import { recordKey } from '../src/records.ts'
import type { EndedSession } from '../src/session-ends.ts'
import { createSessionMarks, overUntil } from '../src/session-marks.ts'
import { MOST_SESSIONS } from '../src/session-policy.ts'
import { createSessions, type SessionRecord, type Sessions } from '../src/sessions.ts'
import { openRedis } from './fixtures.ts'

const REDEEM_MS = 60_000
let redis: RedisClients
let told: EndedSession[]

beforeAll(async () => {
  redis = await openRedis()
})

beforeEach(() => {
  told = []
})

/** Begins a session. Resolves with whether its browser may have it. */
const beginIn = async (sessions: Sessions, ...what: Parameters<Sessions['begin']>): Promise<boolean> => {
  const beginning = await sessions.begin(...what)
  return beginning ? beginning.stands : false
}

const prepare = () => {
  const marks = createSessionMarks(redis, REDEEM_MS)
  const grants = createGrants(redis, marks, async (session) => {
    told.push(session)
  })
  const sessions = createSessions(redis, marks, grants)
  const save = (sub: string, sid: string) => grants.adapter.upsert(sid, { kind: 'Grant', accountId: sub }, 60)
  return {
    grants,
    sessions,
    save,
    begin: (sub: string, sid: string, since = new Date().toISOString()) =>
      beginIn(sessions, sub, record(sid, since), async () => void (await save(sub, sid))),
  }
}

const record = (sid: string, since: string): SessionRecord => ({
  sid,
  client: 'web',
  app: 'Shop',
  ip: '203.0.113.7',
  browser: 'Firefox 140',
  os: 'Linux',
  since,
})
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
const sidsOf = (records: SessionRecord[]) => records.map(({ sid }) => sid)
/** What the index holds of living and half-ended sessions. */
const indexed = async (sub: string) =>
  Object.entries(await redis.data.hgetall(redis.keys.sessions(sub)))
    .filter(([, text]) => overUntil(text) === undefined)
    .map(([sid]) => sid)
    .sort()
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

// Nobody else's sessions are in the list.
test('a person’s sessions are listed newest first, as the phone was shown them', async () => {
  const { sessions, begin } = prepare()
  await begin('anna', 'anna-1', at(1))
  await begin('anna', 'anna-3', at(3))
  await begin('anna', 'anna-2', at(2))
  await begin('bert', 'bert-1', at(4))
  expect(await sessions.list('anna')).toEqual([
    record('anna-3', at(3)),
    record('anna-2', at(2)),
    record('anna-1', at(1)),
  ])
  expect(await redis.data.ttl(redis.keys.sessions('anna'))).toBeGreaterThan(89 * 86_400)
})

test('one session can be ended once, only by its owner, and the others stay', async () => {
  const { sessions, grants, begin } = prepare()
  await begin('carl', 'carl-1')
  await begin('carl', 'carl-2')
  expect(await sessions.end('dora', 'carl-1')).toBe(false)
  expect(await grants.hasSession('carl-1')).toBe(true)
  expect(await sessions.end('carl', 'carl-1')).toBe(true)
  expect(await sessions.end('carl', 'carl-1')).toBe(false)
  expect(await grants.hasSession('carl-1')).toBe(false)
  expect(sidsOf(await sessions.list('carl'))).toEqual(['carl-2'])
  expect(told).toEqual([{ sub: 'carl', sid: 'carl-1' }])
})

test('of many simultaneous ends of a session one succeeds, and it is announced once', async () => {
  const { sessions, grants, begin } = prepare()
  for (const round of numbers(20)) {
    const sid = `eve-${round}`
    await begin('eve', sid)
    const outcomes = await Promise.all([
      ...numbers(8).map(() => sessions.end('eve', sid)),
      ...numbers(4).map(async () => (await sessions.endAll('eve')) === 1),
      sessions.list('eve').then(() => false),
    ])
    expect(outcomes.filter(Boolean)).toHaveLength(1)
    expect(await grants.hasSession(sid)).toBe(false)
  }
  expect(told).toHaveLength(20)
  expect(await indexed('eve')).toEqual([])
})

test('all sessions end except the one that is kept', async () => {
  const { sessions, begin } = prepare()
  for (const i of numbers(5)) await begin('fred', `fred-${i}`)
  expect(await sessions.endAll('fred', 'fred-3')).toBe(4)
  expect(sidsOf(await sessions.list('fred'))).toEqual(['fred-3'])
  expect(await sessions.endAll('fred')).toBe(1)
  expect(await sessions.endAll('fred')).toBe(0)
})

// No session is live without being listed.
test('a session that begins while all are ended is refused or listed', async () => {
  const { sessions, grants, begin } = prepare()
  const seen = { refused: 0, listed: 0, ended: 0 }
  for (const round of numbers(300)) {
    const sid = `gina-${round}`
    // Each round, the end comes at another moment of the beginning, or before it.
    // Turns and not round trips: commands of one turn leave together, so both would keep in step.
    const turns = async (count: number) => {
      for (const _ of numbers(count)) await new Promise((resolve) => setImmediate(resolve))
    }
    const ending = turns(round % 50).then(() => sessions.endAll('gina'))
    const beginning = turns(round % 2 === 0 ? 25 : 0).then(() => begin('gina', sid))
    const [begun] = await Promise.all([beginning, ending])
    const live = await grants.hasSession(sid)
    const listed = sidsOf(await sessions.list('gina')).includes(sid)
    expect({ round, listed }).toEqual({ round, listed: live })
    if (!begun) expect({ round, live }).toEqual({ round, live: false })
    seen[begun ? (live ? 'listed' : 'ended') : 'refused']++
    await sessions.endAll('gina')
  }
  // Otherwise nothing was raced.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
})

test('a list read while a session begins neither shows nor harms it', async () => {
  const { sessions, save } = prepare()
  const begun = await beginIn(sessions, 'hugo', record('hugo-1', new Date().toISOString()), async () => {
    expect(await sessions.list('hugo')).toEqual([])
    await save('hugo', 'hugo-1')
  })
  expect(begun).toBe(true)
  expect(sidsOf(await sessions.list('hugo'))).toEqual(['hugo-1'])
})

test('the next list finishes an end that was interrupted after its mark', async () => {
  const { sessions, grants, begin } = prepare()
  await begin('ida', 'ida-1')
  await redis.data.hset(redis.keys.sessions('ida'), 'ida-1', '')
  expect(await sessions.list('ida')).toEqual([])
  expect(await grants.hasSession('ida-1')).toBe(false)
  expect(told).toEqual([{ sub: 'ida', sid: 'ida-1' }])
})

test('a session that logged out or expired is neither listed nor kept in the index', async () => {
  const { sessions, grants, begin } = prepare()
  for (const i of numbers(3)) await begin('jack', `jack-${i}`, at(i))
  await grants.adapter.destroy('jack-0')
  expect(await indexed('jack')).toEqual(['jack-1', 'jack-2'])
  // As its TTL does.
  expect(await redis.data.unlink(recordKey(redis.keys, 'Grant', 'jack-1'))).toBe(1)
  expect(sidsOf(await sessions.list('jack'))).toEqual(['jack-2'])
  expect(await indexed('jack')).toEqual(['jack-2'])
  expect(await sessions.end('jack', 'jack-1')).toBe(false)
})

test(`a person has ${MOST_SESSIONS} sessions, and another one ends the oldest`, async () => {
  const { sessions, begin } = prepare()
  for (const i of numbers(MOST_SESSIONS)) await begin('kate', `kate-${i}`, at(i))
  expect(told).toEqual([])
  await begin('kate', 'kate-new', at(MOST_SESSIONS))
  expect(told).toEqual([{ sub: 'kate', sid: 'kate-0', code: 'REPLACED' }])
  // Also when many begin at once, on nodes whose clocks say anything.
  await Promise.all(numbers(10).map((i) => begin('kate', `kate-late-${i}`, at(i * 1_000))))
  expect((await sessions.list('kate')).length).toBeLessThanOrEqual(MOST_SESSIONS)
  expect(told.length).toBeGreaterThanOrEqual(11)
})

test('expired sessions do not count towards the limit', async () => {
  const { sessions, grants, begin } = prepare()
  await begin('lea', 'lea-oldest', at(0))
  for (const i of numbers(MOST_SESSIONS)) {
    await begin('lea', `lea-${i}`, at(i + 1))
    // As its TTL does.
    await redis.data.unlink(recordKey(redis.keys, 'Grant', `lea-${i}`))
  }
  expect(await grants.hasSession('lea-oldest')).toBe(true)
  expect(told).toEqual([])
  expect(sidsOf(await sessions.list('lea'))).toEqual(['lea-oldest'])
})

test.each(['{', '{}', 'null', '{"since":"soon"}'])(
  'an unreadable entry (%s) hides no other, and its session does not live on unseen',
  async (rubbish) => {
    const { sessions, grants, save, begin } = prepare()
    const sub = `mia ${rubbish}`
    await begin(sub, 'mia-1')
    await save(sub, 'mia-2')
    await redis.data.hset(redis.keys.sessions(sub), 'mia-2', rubbish)
    expect(sidsOf(await sessions.list(sub))).toEqual(['mia-1'])
    expect(await grants.hasSession('mia-2')).toBe(false)
    expect(await indexed(sub)).toEqual(['mia-1'])
  },
)

const ends: [string, (prepared: ReturnType<typeof prepare>, sub: string, sid: string) => Promise<unknown>][] = [
  ['by itself', ({ sessions }, sub, sid) => sessions.end(sub, sid)],
  ['with all others', ({ sessions }, sub) => sessions.endAll(sub)],
  ['by its own log-out', ({ grants }, _, sid) => grants.adapter.destroy(sid)],
  ['half, by a node that died', (_, sub, sid) => redis.data.hset(redis.keys.sessions(sub), sid, '')],
]
test.each(ends)('an ended session (%s) does not return when its login is requested again', async (how, end) => {
  const prepared = prepare()
  const { sessions, grants, begin } = prepared
  const [sub, sid, since] = [`nora ${how}`, `nora-${how}`, new Date().toISOString()]
  expect(await begin(sub, sid, since)).toBe(true)
  expect(await begin(sub, sid, since)).toBe(true)
  await end(prepared, sub, sid)
  expect(await begin(sub, sid, since)).toBe(false)
  expect(await grants.hasSession(sid)).toBe(false)
  expect(await sessions.list(sub)).toEqual([])
  expect(await begin(sub, sid, since)).toBe(false)
  expect(told).toEqual([{ sub, sid }])
  // It cannot be ended a second time, and is not remembered longer than its login may be asked for.
  expect([await sessions.end(sub, sid), await sessions.endAll(sub)]).toEqual([false, 0])
  const index = redis.keys.sessions(sub)
  expect(await redis.data.pttl(index)).toBeLessThanOrEqual(2 * REDEEM_MS)
  expect(await begin(sub, `${sid}-2`)).toBe(true)
  await redis.data.hset(index, sid, `ended:${Date.now() - 1}`)
  expect(sidsOf(await sessions.list(sub))).toEqual([`${sid}-2`])
  expect(await redis.data.hkeys(index)).toEqual([`${sid}-2`])
})

test('a session ended during a repeat of its login does not return', async () => {
  const { sessions, grants, begin, save } = prepare()
  const since = new Date().toISOString()
  await begin('olga', 'olga-1', since)
  const again = beginIn(sessions, 'olga', record('olga-1', since), async () => {
    await grants.adapter.destroy('olga-1')
    await save('olga', 'olga-1')
  })
  expect(await again).toBe(false)
  expect(await grants.hasSession('olga-1')).toBe(false)
})

// A node of the former version looks for them.
test('of two simultaneous beginnings with other words the first one’s words stay', async () => {
  const { sessions, save } = prepare()
  const [first, second] = [at(1), at(2)]
  const again = async () => void (await save('quin', 'quin-1'))
  const begun = await beginIn(sessions, 'quin', record('quin-1', first), async () => {
    await save('quin', 'quin-1')
    expect(await beginIn(sessions, 'quin', record('quin-1', second), again)).toBe(true)
  })
  expect(begun).toBe(true)
  expect(await sessions.list('quin')).toEqual([record('quin-1', first)])
})

test('a session ended while its login makes the tokens is not given away', async () => {
  const { sessions, grants, save } = prepare()
  const entry = record('rosa-1', new Date().toISOString())
  const beginning = await sessions.begin('rosa', entry, async () => {
    await save('rosa', 'rosa-1')
    // The end has marked the session and not yet deleted its grant.
    await redis.data.hset(redis.keys.sessions('rosa'), 'rosa-1', '')
  })
  expect(await beginning?.stands).toBe(false)
  expect(await grants.hasSession('rosa-1')).toBe(false)
})

test('a session whose entry Redis has lost can begin again: nobody ended it', async () => {
  const { sessions, save, begin } = prepare()
  const lost = beginIn(sessions, 'paul', record('paul-1', at(1)), async () => {
    await save('paul', 'paul-1')
    await redis.data.unlink(redis.keys.sessions('paul'))
  })
  await expect(lost).rejects.toThrow(RedisUnavailable)
  expect(await begin('paul', 'paul-1', at(1))).toBe(true)
  expect(sidsOf(await sessions.list('paul'))).toEqual(['paul-1'])
})

test('an application is listed once with the session that entered it, whatever happens at the same time', async () => {
  const { sessions, begin } = prepare()
  await begin('cara', 'cara-1')
  const application = (n: number) => ({ client: `app-${n}`, name: `App ${n}` })
  const added = await Promise.all(
    [...numbers(8), ...numbers(8)].map((n) => sessions.addApplication('cara', 'cara-1', application(n))),
  )
  expect(new Set(added)).toEqual(new Set([true]))
  // The one of the login is there already.
  expect(await sessions.addApplication('cara', 'cara-1', { client: 'web', name: 'Shop' })).toBe(true)
  const [listed] = await sessions.list('cara')
  expect(listed?.applications?.map(({ client }) => client).sort()).toEqual(numbers(8).map((n) => `app-${n}`))
})

test('a session that ends while an application is entered stays ended', async () => {
  for (const turn of numbers(50)) {
    const { sessions, begin } = prepare()
    const [sub, sid] = [`dirk-${turn}`, `dirk-${turn}-1`]
    await begin(sub, sid)
    await Promise.all([
      sessions.end(sub, sid),
      sessions.addApplication(sub, sid, { client: 'wiki', name: 'Wiki' }),
      sessions.addApplication(sub, sid, { client: 'board', name: 'Board' }),
    ])
    expect(await sessions.list(sub)).toEqual([])
    expect(await indexed(sub)).toEqual([])
    expect(await sessions.addApplication(sub, sid, { client: 'wiki', name: 'Wiki' })).toBe(false)
  }
})

test('a grant of an application is gone with its session, and its own end ends no session', async () => {
  const { grants, begin } = prepare()
  await begin('elsa', 'elsa-1')
  const entered = { kind: 'Grant', accountId: 'elsa', clientId: 'wiki', sessionUid: 'elsa-1' }
  for (const id of ['elsa-wiki', 'elsa-board']) await grants.adapter.upsert(id, entered, 90 * 86_400)
  const key = (id: string) => recordKey(redis.keys, 'Grant', id)
  // It waits for its person longer than an access token lives.
  expect(await redis.data.ttl(key('elsa-wiki'))).toBeGreaterThan(13 * 86_400)
  expect(await grants.adapter.find('elsa-wiki')).toMatchObject(entered)

  await grants.adapter.destroy('elsa-board')
  expect(await grants.find('elsa-board')).toBeUndefined()
  expect([told, await grants.hasSession('elsa-1')]).toEqual([[], true])

  await grants.destroy('elsa-1')
  expect(told).toEqual([{ sub: 'elsa', sid: 'elsa-1' }])
  expect(await grants.adapter.find('elsa-wiki')).toBeUndefined()
  // Nothing is left that a new session of the same id could wake.
  expect(await redis.data.exists(key('elsa-wiki'))).toBe(0)
})
