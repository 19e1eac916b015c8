import type { Note } from '../src/index.ts'
import { parts } from '../src/parts.ts'
import {
  contentOf,
  DAY_MS,
  drawPerson,
  neighbourOf,
  openAudit,
  openRedis,
  readAll,
  SECRET,
  serversOf,
  uniquePrefix,
  upTo,
  value,
  write,
} from './fixtures.ts'

const NEW_SECRET = 'another secret, which is as long'

/** What bounds the audit, and what it does at its bounds. It holds on every topology. */
export const boundsContract = (url: string): void => {
  const open = async (options: Parameters<typeof openAudit>[1] = {}) => {
    const redis = await openRedis(url, uniquePrefix())
    return { redis, audit: openAudit(redis, options) }
  }
  const keysOf = async (redis: Awaited<ReturnType<typeof openRedis>>, kind: string) =>
    (await Promise.all(serversOf(redis).map((server) => server.keys(`${redis.keys.prefix}:audit:*}:${kind}:*`)))).flat()

  test('[A5] what is kept beside the entries goes with them: lists of people are bounded, too', async () => {
    const { redis, audit } = await open({ entries: 1_000 })
    for (const i of upTo(3_000))
      audit.note({ kind: 'session.moved', person: drawPerson(), sid: `${i}` }, { network: '203.0.113' })
    for (const i of upTo(3_000)) audit.note({ kind: 'login.confirmed', person: drawPerson(), ticket: `${i}` })
    await audit.flush()
    const entries = await readAll(audit, { limit: 500 })
    // Three quarters of a thousand in eight parts.
    expect(entries.length).toBeGreaterThan(700)
    expect(entries.length).toBeLessThanOrEqual(8 * 94)
    expect(await keysOf(redis, 'of')).toHaveLength(entries.length)
    const [{ person = '' } = {}] = entries
    expect(value(await audit.activity(person)).entries).toHaveLength(1)
    for (const server of serversOf(redis))
      for (const key of await server.keys(`${redis.keys.prefix}:audit:*}:places:*`))
        expect(await server.pttl(key)).toBeLessThanOrEqual(15 * DAY_MS)
  })

  test('[A6] nobody pushes out what others did, however few entries are kept', async () => {
    const { audit } = await open({ entries: 1_000 })
    const loud = drawPerson()
    const quiet = neighbourOf(loud)
    await write(audit, [{ kind: 'login.confirmed', person: quiet }])
    for (const i of upTo(1_000)) audit.note({ kind: 'session.moved', person: loud, sid: `${i}` })
    await audit.flush()
    expect(await readAll(audit, { person: quiet })).toHaveLength(1)
    // A tenth of their part.
    expect((await readAll(audit, { person: loud })).map(({ sid }) => sid)).toEqual(upTo(9).map((i) => `${999 - i}`))
  })

  test('[A20] an API key pushes out nothing but what it did itself, whatever that is about', async () => {
    const { redis, audit } = await open({ entries: 1_000 })
    const person = drawPerson()
    const loud = { by: 'backend', key: 'loud' } as const
    await write(audit, [
      ...upTo(5).map((i): Note => ({ kind: 'login.confirmed', person, ticket: `${i}` })),
      { kind: 'account.disabled', person, by: 'backend', key: 'quiet' },
      { kind: 'admin.acted', by: 'backend', key: 'quiet', reason: 'channel.trim' },
      { kind: 'key.made', by: 'backend', key: 'made', reason: 'loud' },
    ])
    for (const i of upTo(800)) {
      audit.note({ kind: 'session.ended', person, sid: `${i}`, ...loud })
      audit.note({ kind: 'session.ended', person: drawPerson(), ...loud })
      audit.note({ kind: 'admin.acted', reason: 'channel.trim', ...loud })
      audit.note({ kind: 'key.revoked', by: 'backend', key: `k${i}`, reason: 'loud' })
      // More may not wait.
      if (i % 100 === 0) await audit.flush()
    }
    await audit.flush()
    const entries = await readAll(audit, { limit: 500 })
    expect(entries.filter(({ key }) => key === undefined)).toHaveLength(5)
    expect(entries.filter(({ key }) => key === 'quiet')).toHaveLength(2)
    // A tenth of each of the eight parts, and what is kept is the newest.
    expect(entries.filter(({ key }) => key === 'loud' || key?.startsWith('k')).length).toBeLessThanOrEqual(8 * 9)
    expect(entries.find(({ kind, key }) => kind === 'session.ended' && key === 'loud')).toBeDefined()
    const told = value(await audit.activity(person, { limit: 100 })).entries
    expect(told.filter(({ kind }) => kind === 'login.confirmed')).toHaveLength(5)
    expect(told.filter(({ kind }) => kind === 'account.disabled')).toHaveLength(1)
    expect(told.map(({ id }) => id)).toEqual((await readAll(audit, { person })).map(({ id }) => id))
    // The lists are as short as what they list.
    const { length: listed } = (
      await Promise.all((await keysOf(redis, 'by')).map((key) => redis.data.zrange(key, '0', '-1')))
    ).flat()
    expect(listed).toBe(entries.filter(({ by }) => by === 'backend').length)
    const about = entries.filter((entry) => entry.person === person).length
    expect(await audit.forget(person)).toBe(about)
    expect(await contentOf(redis)).not.toContain(person)
    const { length: left } = (
      await Promise.all((await keysOf(redis, 'by')).map((key) => redis.data.zrange(key, '0', '-1')))
    ).flat()
    expect(left).toBe((await readAll(audit)).filter(({ by }) => by === 'backend').length)
  })

  test('[A9] any time and any form of an address may be asked for', async () => {
    const { audit } = await open()
    const person = drawPerson()
    await write(audit, [
      { kind: 'login.confirmed', person, ip: '::ffff:192.0.2.7' },
      { kind: 'login.scanned', person, ip: '192.0.2.8' },
    ])
    const long = Date.parse('0001-01-01T00:00:00Z')
    for (const order of ['newest', 'oldest'] as const) {
      expect(await readAll(audit, { order, from: long, to: -long })).toHaveLength(2)
      expect(await readAll(audit, { order, to: long })).toEqual([])
    }
    for (const network of ['192.0.2.0/24', '0.0.0.0/0']) expect(await readAll(audit, { network })).toHaveLength(2)
    for (const network of ['192.0.2.7', '::ffff:192.0.2.7'])
      expect((await readAll(audit, { network })).map(({ kind }) => kind)).toEqual(['login.confirmed'])
  })

  test('[A13] while nodes change to another secret, no session seems to move between them', async () => {
    const { redis, audit: before } = await open()
    const after = openAudit(redis, { node: 'b', secrets: [NEW_SECRET, SECRET] })
    const person = drawPerson()
    for (const audit of [before, after, before, after, before]) {
      audit.note({ kind: 'session.moved', person, sid: 'one' }, { network: '203.0.113' })
      await audit.flush()
    }
    expect(await readAll(after, { person })).toEqual([])
    before.note({ kind: 'session.moved', person, sid: 'one' }, { network: '192.0.2' })
    await before.flush()
    expect(await readAll(after, { person })).toHaveLength(1)
  })

  test('[A16] a person is forgotten also when the clock of Redis has gone back', async () => {
    const { redis, audit } = await open()
    const person = drawPerson()
    const later = Date.now() + 3_600_000
    for (const part of parts) await redis.data.xadd(redis.keys.audit(part), `${later}-0`, 'k', 'login.asked', 't', '0')
    await write(audit, [{ kind: 'login.confirmed', person, sid: 'theirs' }])
    expect(await audit.forget(person)).toBe(1)
    const content = await contentOf(redis)
    expect(content).not.toContain(person)
    expect(content).not.toContain('theirs')
  })
}
