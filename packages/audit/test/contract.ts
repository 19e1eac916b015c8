import { until } from '@saoma/testing'
import type { Kind, Note } from '../src/index.ts'
import { partOfPerson, parts } from '../src/parts.ts'
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

const browser = { ip: '203.0.113.7', browser: 'Firefox 150', os: 'Windows' }

/** The rules of SPEC.md that hold on every topology. Two nodes take part. */
export const auditContract = async (url: string) => {
  const prefix = uniquePrefix()
  const redis = await openRedis(url, prefix)
  const node = openAudit(redis)
  const other = openAudit(await openRedis(url, prefix), { node: 'b' })
  /** An audit of its own, so that the test sees nothing of the others. */
  const apart = async (options: Parameters<typeof openAudit>[1] = {}) => {
    const own = await openRedis(url, uniquePrefix())
    return { redis: own, audit: openAudit(own, options) }
  }

  test('[A1] an entry says what was noted, by which node and when by Redis’s clock', async () => {
    const person = drawPerson()
    const note: Note = {
      ...{
        kind: 'login.redeemed',
        person,
        ticket: 't',
        sid: 's',
        client: 'web',
        app: 'Shop',
        mode: 'tap',
        by: 'browser',
      },
      ...{ reason: 'none', key: 'k', count: 2, name: 'Ann', said: 'Ask at the desk.', ...browser },
    }
    const [server] = serversOf(redis)
    const [seconds = 0] = ((await server?.time()) ?? []).map(Number)
    await write(other, [note])
    const [entry] = await readAll(node, { person })
    expect(entry).toEqual({ ...note, id: expect.any(String), node: 'b', time: expect.any(String) })
    expect(Math.abs(Date.parse(entry?.time ?? '') - seconds * 1_000)).toBeLessThan(60_000)
    // Long texts are cut, so that an entry has a bound.
    await write(other, [{ kind: 'login.scanned', person, browser: 'x'.repeat(10_000), reason: 'y'.repeat(10_000) }])
    const [long] = await readAll(node, { person })
    expect([long?.browser?.length, long?.reason?.length]).toEqual([256, 256])
  })

  test('[A1] the entries of a person keep the order in which they were noted', async () => {
    const person = drawPerson()
    const sids = upTo(700).map((i) => `sid-${i}`)
    for (const sid of sids) node.note({ kind: 'session.moved', person, sid })
    await node.flush()
    // The newest 500 of them: A6.
    expect((await readAll(other, { person, order: 'oldest' })).map(({ sid }) => sid)).toEqual(sids.slice(-500))
    expect((await readAll(other, { person })).map(({ sid }) => sid)).toEqual(sids.slice(-500).reverse())
  })

  test('[A2] entries that are noted together are one write for each part', async () => {
    const { redis: own, audit } = await apart()
    const calls = async () => {
      let sum = 0
      for (const server of serversOf(own))
        sum += Number(/^cmdstat_evalsha?:calls=(\d+)/m.exec(await server.info('commandstats'))?.[1] ?? 0)
      return sum
    }
    const person = drawPerson()
    const before = await calls()
    for (const i of upTo(100)) audit.note({ kind: 'login.scanned', person, ticket: `${i}` })
    await until(
      () => readAll(audit, { person }),
      (entries) => entries.length === 100,
    )
    // Beats of the connection are scripts too.
    expect((await calls()) - before).toBeLessThan(50)
  })

  test('[A2] what is to be written later waits for other nodes, with what follows it of its person', async () => {
    const gatherMs = 300
    const { redis: own, audit } = await apart({ gatherMs })
    const [person, someone] = [drawPerson(), drawPerson()]
    const confirming = openAudit(own, { node: 'b', gatherMs })
    const begun = performance.now()
    // This node is about to write: what it notes now would be written first.
    audit.note({ kind: 'login.scanned', person: someone })
    await until(
      async () => performance.now() - begun,
      (ms) => ms > gatherMs / 2,
    )
    confirming.note({ kind: 'login.confirmed', person })
    audit.note({ kind: 'login.redeemed', person }, { later: true })
    audit.note({ kind: 'session.ended', person })
    audit.note({ kind: 'login.confirmed', person: someone })
    const entries = await until(
      () => readAll(audit, { order: 'oldest' }),
      (all) => all.length === 5,
    )
    const kindsOf = (wanted: string) => entries.filter((entry) => entry.person === wanted).map(({ kind }) => kind)
    expect(kindsOf(person)).toEqual(['login.confirmed', 'login.redeemed', 'session.ended'])
    expect(kindsOf(someone)).toEqual(['login.scanned', 'login.confirmed'])
  })

  test('[A5] so many entries are kept, and what strangers cause pushes out nothing of people', async () => {
    const { audit } = await apart({ entries: 8_000 })
    const people = upTo(20).map(drawPerson)
    await write(
      audit,
      people.map((person) => ({ kind: 'login.confirmed' as const, person })),
    )
    for (const round of upTo(5)) {
      for (const i of upTo(4_000)) audit.note({ kind: 'login.asked', ticket: `${round}-${i}` })
      await audit.flush()
    }
    const all = await readAll(audit, { limit: 500 })
    const asked = all.filter(({ kind }) => kind === 'login.asked')
    // A quarter of 8,000.
    expect(asked).toHaveLength(2_000)
    expect(all.length - asked.length).toBe(people.length)
  })

  test('[A6] of one person the newest are kept, and one who does much pushes out nothing of others', async () => {
    const { audit } = await apart({ entries: 8_000, mostOwn: 30 })
    const loud = drawPerson()
    const quiet = neighbourOf(loud)
    await write(audit, [{ kind: 'login.confirmed', person: quiet }])
    for (const i of upTo(3_000)) {
      audit.note({ kind: 'session.moved', person: loud, sid: `${i}` })
      if (i % 1_000 === 999) await audit.flush()
    }
    expect(await readAll(audit, { person: quiet })).toHaveLength(1)
    const kept = await readAll(audit, { person: loud, order: 'oldest' })
    expect(kept.map(({ sid }) => sid)).toEqual(upTo(3_000).slice(-30).map(String))
  })

  test('[A7] an entry is kept for its time and deleted by the next write to its part', async () => {
    const { redis: own, audit } = await apart({ keepMs: 300 })
    const person = drawPerson()
    await write(audit, [{ kind: 'login.confirmed', person, ...browser }])
    const [first] = await readAll(audit, { person })
    const [, id = ''] = first?.id.split(':') ?? []
    const server = own.data
    // By Redis's clock, which decides.
    await until(
      async () => {
        await write(audit, [{ kind: 'login.scanned', person }])
        return server.xrange(own.keys.audit(partOfPerson(person)), id, id)
      },
      (found) => found.length === 0,
    )
    expect((await readAll(audit, { person })).every(({ kind }) => kind === 'login.scanned')).toBe(true)
    // And the part itself goes when nothing more is written.
    await until(
      () => contentOf(own),
      (content) => !content.includes(person),
    )
  })

  test('[A8] what is personal is sealed, and opens with the secret or the one before it', async () => {
    const { redis: own, audit } = await apart()
    const person = drawPerson()
    await write(audit, [{ kind: 'login.redeemed', person, name: 'Li Lei', said: 'Ask Li', client: 'web', ...browser }])
    const content = await contentOf(own)
    expect(content).toContain('login.redeemed')
    for (const secret of ['203.0.113.7', 'Firefox', 'Windows', 'Li Lei', 'Ask Li'])
      expect(content).not.toContain(secret)
    const after = openAudit(own, { secrets: ['another secret, which is as long', SECRET] })
    expect(await readAll(after, { person })).toMatchObject([{ name: 'Li Lei', said: 'Ask Li', ...browser }])
    const later = openAudit(own, { secrets: ['another secret, which is as long'] })
    const [sealed] = await readAll(later, { person })
    expect(sealed).toMatchObject({ kind: 'login.redeemed', client: 'web', sealed: true })
    expect(sealed).not.toHaveProperty('ip')
  })

  describe('a query', () => {
    const person = drawPerson()
    const second = drawPerson()
    beforeAll(() =>
      write(node, [
        { kind: 'login.scanned', person, ticket: 'ticket-1', ip: '198.51.100.9' },
        { kind: 'login.confirmed', person, ticket: 'ticket-1', ip: '198.51.100.9' },
        { kind: 'login.redeemed', person, ticket: 'ticket-1', sid: 'sid-1', ip: '2001:db8:1::7' },
        { kind: 'session.ended', person, sid: 'sid-1', by: 'phone' },
        { kind: 'login.asked', ticket: 'ticket-1', ip: '192.0.2.200' },
        { kind: 'login.scanned', person: second, ticket: 'ticket-2', ip: '192.0.2.1' },
      ]),
    )
    const kindsOf = async (query: Parameters<typeof readAll>[1]) =>
      (await readAll(other, { order: 'oldest', ...query })).map(({ kind }) => kind).sort()

    test.each<[string, Parameters<typeof readAll>[1], Kind[]]>([
      ['by person', { person: second }, ['login.scanned']],
      ['by ticket', { ticket: 'ticket-1' }, ['login.asked', 'login.confirmed', 'login.redeemed', 'login.scanned']],
      ['by session', { sid: 'sid-1' }, ['login.redeemed', 'session.ended']],
      ['by kind', { person, kinds: ['session.ended', 'login.confirmed'] }, ['login.confirmed', 'session.ended']],
      ['by group', { person, kinds: ['login'] }, ['login.confirmed', 'login.redeemed', 'login.scanned']],
      ['by address', { network: '198.51.100.9' }, ['login.confirmed', 'login.scanned']],
      ['by network', { network: '192.0.2.0/24' }, ['login.asked', 'login.scanned']],
      ['by network of IPv6', { network: '2001:db8::/32' }, ['login.redeemed']],
      ['by several', { person, network: '198.51.100.0/24', kinds: ['login.scanned'] }, ['login.scanned']],
    ])('[A9] selects %s', async (_, query, expected) => {
      expect(await kindsOf(query)).toEqual([...expected].sort())
    })

    test('[A9] selects by time, both ends included', async () => {
      const entries = await readAll(other, { person, order: 'oldest' })
      const at = entries.map(({ time }) => Date.parse(time))
      const [first = 0, last = 0] = [Math.min(...at), Math.max(...at)]
      expect(await readAll(other, { person, from: first, to: last })).toHaveLength(4)
      expect(await readAll(other, { person, from: last + 1 })).toEqual([])
      expect(await readAll(other, { person, to: first - 1 })).toEqual([])
    })

    test.each<[string, Parameters<typeof node.read>[0]]>([
      ['a kind that does not exist', { kinds: ['login.danced'] }],
      ['a network that is none', { network: '203.0.113.0/33' }],
      ['another network that is none', { network: 'example.com' }],
      ['a cursor that is none', { cursor: '1.2' }],
    ])('[A9] refuses %s', async (_, query) => {
      expect(await node.read(query)).toMatchObject({ ok: false, code: 'INVALID' })
    })
  })

  test.each(['newest', 'oldest'] as const)(
    '[A10] pages of the %s repeat nothing and leave nothing out',
    async (order) => {
      const { audit } = await apart()
      const people = upTo(30).map(drawPerson)
      const sids = upTo(300).map((i) => `sid-${i}`)
      for (const [i, sid] of sids.entries()) {
        audit.note({ kind: 'session.ended', person: people[i % people.length] ?? '', sid })
        if (i % 50 === 0) await audit.flush()
      }
      await audit.flush()
      for (const limit of [1, 7, 500]) {
        const read = await readAll(audit, { order, limit })
        expect(new Set(read.map(({ sid }) => sid)).size).toBe(300)
        expect(read).toHaveLength(300)
      }
    },
  )

  test('[A10] a cursor goes on where it was after new entries, and after its own entry was trimmed', async () => {
    const { redis: own, audit } = await apart()
    const person = drawPerson()
    const notes = (from: number, to: number) =>
      upTo(to)
        .slice(from)
        .map((i): Note => ({ kind: 'session.ended', person, sid: `${i}` }))
    await write(audit, notes(0, 20))
    const { cursor } = value(await audit.read({ limit: 5 }))
    await write(audit, notes(20, 30))
    const next = value(await audit.read({ limit: 5, cursor }))
    expect(next.entries.map(({ sid }) => sid)).toEqual(['14', '13', '12', '11', '10'])
    // All that was read so far, and two more.
    const part = own.keys.audit(partOfPerson(person))
    for (const [id] of (await own.data.xrange(part, '-', '+')).slice(8)) await own.data.xdel(part, id)
    expect((await readAll(audit, { cursor: next.cursor })).map(({ sid }) => sid)).toEqual([
      '7',
      '6',
      '5',
      '4',
      '3',
      '2',
      '1',
      '0',
    ])
  })

  test('[A10] the work for one page is bounded: it may be empty, and the next one goes on', async () => {
    const { audit } = await apart()
    const person = drawPerson()
    await write(audit, [{ kind: 'session.ended', person, sid: 'wanted' }])
    for (const _ of upTo(6_000)) audit.note({ kind: 'login.scanned', person: drawPerson() })
    await audit.flush()
    const page = value(await audit.read({ sid: 'wanted' }))
    expect(page).toMatchObject({ entries: [], more: true })
    expect(value(await audit.read({ sid: 'wanted', cursor: page.cursor }))).toMatchObject({
      entries: [{ sid: 'wanted' }],
      more: false,
    })
  })

  test('[A11] a follower gets what comes after its cursor, each entry once', async () => {
    const person = drawPerson()
    await write(node, [{ kind: 'login.scanned', person, sid: 'before' }])
    const over = new AbortController()
    const followed = other.follow({ person, cursor: await other.end() }, over.signal, { pauseMs: 10 })
    const seen: (string | undefined)[] = []
    for (const i of upTo(50)) {
      await write(i % 2 === 0 ? node : other, [{ kind: 'session.ended', person, sid: `${i}` }])
      const next = await followed.next()
      if (!next.done) seen.push(next.value.sid)
    }
    expect(seen).toEqual(upTo(50).map(String))
    const last = followed.next()
    over.abort()
    expect(await last).toMatchObject({ done: true })
  })

  test('[A12] a person reads their own entries, the newest first, page by page', async () => {
    const person = drawPerson()
    const neighbour = neighbourOf(person)
    for (const i of upTo(45)) {
      node.note({ kind: 'session.moved', person, sid: `${i}`, ...browser })
      node.note({ kind: 'session.moved', person: neighbour, sid: `not ${i}` })
    }
    await node.flush()
    const read: (string | undefined)[] = []
    let cursor: string | undefined
    do {
      const page = value(await other.activity(person, cursor === undefined ? {} : { cursor }))
      expect(page.entries.length).toBeLessThanOrEqual(20)
      read.push(...page.entries.map(({ sid }) => sid))
      cursor = page.cursor
      // What comes meanwhile belongs before the first page.
      await write(node, [{ kind: 'session.moved', person, sid: 'later' }])
    } while (cursor !== undefined)
    expect(read).toEqual(upTo(45).map(String).reverse())
    expect(await other.activity(person, { cursor: 'nowhere' })).toMatchObject({ ok: false, code: 'INVALID' })
    expect(value(await other.activity(drawPerson()))).toEqual({ entries: [] })
  })

  test('[A12] a person is not told from where a backend or an operator acted, nor by which key', async () => {
    const person = drawPerson()
    await write(node, [
      { kind: 'session.ended', person, by: 'backend', key: 'shop', ...browser },
      { kind: 'login.redeemed', person, ...browser },
    ])
    const [own, theirs] = value(await node.activity(person)).entries
    expect(own).toMatchObject(browser)
    expect(JSON.parse(JSON.stringify(theirs))).toEqual({
      ...{ id: expect.any(String), time: expect.any(String), kind: 'session.ended', by: 'backend' },
    })
  })

  test('[A13] a refresh is noted only from another network, and Redis does not say from which', async () => {
    const { redis: own, audit } = await apart()
    const person = drawPerson()
    const from = async (
      by: typeof audit,
      network: string,
      kind: 'login.redeemed' | 'session.moved' = 'session.moved',
    ) => {
      by.note({ kind, person, sid: 'one' }, { network })
      await by.flush()
    }
    await from(audit, '203.0.113', 'login.redeemed')
    for (const network of ['203.0.113', '198.51.100', '198.51.100', '203.0.113']) await from(audit, network)
    const kinds = async () => (await readAll(audit, { person, order: 'oldest' })).map(({ kind }) => kind)
    const twice = ['login.redeemed', 'session.moved', 'session.moved']
    expect(await kinds()).toEqual(twice)
    expect(await contentOf(own)).not.toMatch(/203\.0\.113|198\.51\.100/)
    // Another secret is no other network.
    const after = openAudit(own, { secrets: ['another secret, which is as long', SECRET] })
    await from(after, '203.0.113')
    await from(after, '203.0.113')
    expect(await kinds()).toEqual(twice)
    await from(after, '192.0.2')
    expect(await kinds()).toEqual([...twice, 'session.moved'])
    // Of a session that began before the audit nothing is known.
    audit.note({ kind: 'session.moved', person, sid: 'other' }, { network: '192.0.2' })
    await audit.flush()
    expect(await kinds()).toEqual([...twice, 'session.moved'])
  })

  test('[A14] what is to be noted once is noted once, by whichever node', async () => {
    const person = drawPerson()
    const once = { name: `scanned.${person}`, ms: 60_000 }
    for (const audit of [node, other, node]) audit.note({ kind: 'login.scanned', person }, { once })
    await Promise.all([node, other].map((audit) => audit.flush()))
    expect(await readAll(node, { person })).toHaveLength(1)
  })

  test('[A15] refusals are counted by the minute, and those of people are lines once in a minute', async () => {
    const { audit } = await apart({ countMs: 50 })
    const person = drawPerson()
    for (const _ of upTo(1_000)) {
      audit.refusals.count('UNAUTHORIZED')
      audit.refusals.of({ kind: 'login.refused', person, reason: 'TICKET_TAKEN' })
    }
    for (const i of upTo(1_000)) audit.refusals.count(`invented-${i}`)
    const counted = await until(
      async () => {
        await audit.flush()
        return readAll(audit, { kinds: ['refusals'], limit: 500 })
      },
      (entries) => entries.length >= 200,
    )
    expect(counted).toContainEqual(expect.objectContaining({ reason: 'UNAUTHORIZED', count: 1_000 }))
    expect(counted).toContainEqual(expect.objectContaining({ reason: 'other' }))
    expect(counted.reduce((sum, { count = 0 }) => sum + count, 0)).toBe(2_000)
    expect((await readAll(audit, { person })).map(({ reason }) => reason)).toEqual(['TICKET_TAKEN'])
  })

  test('[A16] to forget a person erases all of theirs, also what nodes have not written yet, and nothing of others', async () => {
    const { redis: own, audit } = await apart()
    const [slow, person] = [openAudit(own, { gatherMs: 3_600_000 }), drawPerson()]
    const neighbour = neighbourOf(person)
    audit.note({ kind: 'login.redeemed', person, sid: 'their-sid', name: 'Li Lei' }, { network: '203.0.113' })
    for (const i of upTo(1_500)) audit.note({ kind: 'session.moved', person: i % 3 === 0 ? person : neighbour })
    await audit.flush()
    slow.note({ kind: 'session.ended', person, sid: 'their-sid' })
    slow.note({ kind: 'session.ended', person: neighbour, sid: 'two' })
    expect(await audit.forget(person)).toBeGreaterThan(400)
    audit.note({ kind: 'account.deleted', person, by: 'operator' })
    await Promise.all([slow.flush(), audit.flush()])
    expect((await readAll(audit, { person })).map(({ kind }) => kind)).toEqual(['account.deleted'])
    expect((await readAll(audit, { person: neighbour })).map(({ sid }) => sid)).toContain('two')
    await audit.forget(person)
    const content = await contentOf(own)
    expect(content.split(person)).toHaveLength(2)
    expect(content).not.toContain('their-sid')
    expect(value(await audit.activity(person)).entries).toHaveLength(0)
  })

  test('[A17] every key has a TTL', async () => {
    const person = drawPerson()
    node.note(
      { kind: 'login.redeemed', person, sid: 'one' },
      { network: '203.0.113', once: { name: person, ms: 60_000 } },
    )
    await node.flush()
    await node.forget(drawPerson())
    const names = new Set<string>()
    for (const server of serversOf(redis))
      for (const key of await server.keys(`${prefix}:audit:*`)) {
        const left = await server.pttl(key)
        expect({ key, isBounded: left > 0 && left <= 90 * DAY_MS }).toEqual({ key, isBounded: true })
        names.add(key.replace(/^.*\{[^}]*\}:?/, '').replace(/:.*/, ''))
      }
    expect([...names].sort()).toEqual(['', 'batch', 'by', 'done', 'erased', 'of', 'once', 'places'])
  })

  test('[A18] each master has some of the parts', async () => {
    await write(
      node,
      upTo(400).flatMap((i): Note[] => [
        { kind: 'login.scanned', person: drawPerson() },
        { kind: 'login.asked', ticket: `spread-${i}` },
      ]),
    )
    const held = await Promise.all(
      serversOf(redis).map(async (server) => (await server.keys(`${prefix}:audit:*}`)).length),
    )
    expect(held.reduce((sum, count) => sum + count, 0)).toBe(parts.length)
    expect(Math.min(...held)).toBeGreaterThanOrEqual(Math.floor(parts.length / held.length) - 1)
  })

  test('[A19] while it is off nothing is written, and what is there can be read', async () => {
    const { redis: own, audit } = await apart()
    const person = drawPerson()
    await write(audit, [{ kind: 'login.scanned', person }])
    const off = openAudit(own, { isOn: false, countMs: 50 })
    off.refusals.count('UNAUTHORIZED')
    await write(off, [{ kind: 'login.confirmed', person }])
    await off.close()
    expect((await readAll(off)).map(({ kind }) => kind)).toEqual(['login.scanned'])
    expect(value(await off.activity(person)).entries).toHaveLength(1)
  })
}
