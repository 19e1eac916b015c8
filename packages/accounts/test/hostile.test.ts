import { parseExact } from '@saoma/protocol'
import { startRedis } from '@saoma/testing'
import { type Claims, type Decision, isSub, type Meeting } from '../src/index.ts'
import { beforeCommand, halves, keysOf, openNode, somebody, subOf, uniquePrefix } from './fixtures.ts'

const server = await startRedis()
const node = async (prefix = uniquePrefix()) => openNode(server.url, prefix)
const naming =
  (sub: string): NonNullable<Meeting['decide']> =>
  async () => ({ allow: true, sub })

test('[U6] an account that was lost needs the yes of the business, however often it did not answer', async () => {
  const { redis, accounts } = await node()
  const person = somebody('uLost')
  const sub = subOf(await accounts.of(person))
  await redis.data.del(redis.keys.account(sub))
  const silent = { allow: false, why: 'BACKEND_UNAVAILABLE' } as const
  /** As the hook does at births only. */
  const asked =
    (answer: Decision): NonNullable<Meeting['decide']> =>
    async ({ isNew }) =>
      isNew ? answer : undefined
  for (let time = 0; time < 3; time++) expect(await accounts.of(person, { decide: asked(silent) })).toEqual(silent)
  expect(await redis.data.pttl(redis.keys.account(sub))).toBeGreaterThan(0)
  expect(subOf(await accounts.of(person, { decide: asked({ allow: true, claims: { name: 'Ann' } }) }))).toBe(sub)
  expect(await accounts.find(sub)).toEqual({ sub, state: 'active', claims: { name: 'Ann' } })
  expect(subOf(await accounts.of(person, { decide: asked(silent) }))).toBe(sub)
})

test('[U7] the business is asked once about a birth, also if another node comes in between', async () => {
  const prefix = uniquePrefix()
  const [first, second] = [await node(prefix), await node(prefix)]
  const person = somebody()
  const asked: unknown[] = []
  const met = await first.accounts.of(person, {
    decide: async (known) => {
      asked.push(known)
      if (asked.length === 1) await second.accounts.of(person, { decide: naming('1001') })
      return known.isNew ? { allow: true, sub: '2002' } : undefined
    },
  })
  expect(met).toEqual({ allow: true, sub: '1001' })
  expect(asked.filter((known) => (known as { isNew: boolean }).isNew)).toHaveLength(1)
})

test('[U7] an account is new to the meeting that has made it, and to no other', async () => {
  const prefix = uniquePrefix()
  const nodes = [await node(prefix), await node(prefix)] as const
  const met = await Promise.all(
    Array.from({ length: 20 }, (_, i) => nodes[i % 2 ? 0 : 1].accounts.of(somebody(), { decide: naming('1001') })),
  )
  expect(met.filter((each) => each.allow && each.isNew)).toHaveLength(1)
  const person = somebody()
  const same = await Promise.all(Array.from({ length: 20 }, (_, i) => nodes[i % 2 ? 0 : 1].accounts.of(person)))
  expect(same.filter((each) => each.allow && each.isNew)).toHaveLength(1)
})

test.each(['deleted', 'disabled'] as const)(
  '[U8] [U9] nobody gets an account that is %s while they come',
  async (state) => {
    for (let commands = 1; ; commands++) {
      const prefix = uniquePrefix()
      const [living, coming] = [await node(prefix), await node(prefix)]
      const person = somebody('uComing')
      await living.accounts.of(somebody(), { decide: naming('1001') })
      const passed = beforeCommand(coming.redis, commands, async () => {
        if (state === 'deleted') await living.accounts.remove('1001')
        else await living.accounts.setState('1001', state)
      })
      const met = await coming.accounts.of(person, { decide: naming('1001') })
      // Only what comes after the last command may go unseen: a scan looks again.
      if (!passed()) return
      expect([commands, met.allow]).toEqual([commands, false])
      if (state === 'disabled') continue
      const links = (await keysOf(living.redis)).filter((name) => name.includes(':account-link:'))
      expect([commands, links]).toEqual([commands, []])
    }
  },
)

test('[U10] a unionid that others of the account have stays theirs when one is taken off', async () => {
  const { accounts } = await node()
  const [one, another] = ['wx1', 'wx2'].map((app) => ({ ...somebody('uShared'), app }))
  if (!one || !another) throw new Error('two were made')
  const sub = subOf(await accounts.of(one))
  await accounts.of(another)
  expect(await accounts.unlink(sub, another)).toBe('unlinked')
  expect(await accounts.identities(sub)).toEqual([one])
  expect(subOf(await accounts.of({ ...somebody('uShared'), app: 'wx3' }))).toBe(sub)
  expect(subOf(await accounts.of(another))).toBe(sub)
})

test('[U10] the unionid of an identity that is taken off goes with it', async () => {
  const { accounts } = await node()
  const [one, another] = [somebody(), { ...somebody('uGone'), app: 'wx2' }]
  const sub = subOf(await accounts.of(one))
  expect(await accounts.link(sub, another)).toBe('linked')
  // Whoever takes it off may not know its unionid.
  const { union: _, ...named } = another
  expect(await accounts.unlink(sub, named)).toBe('unlinked')
  expect(subOf(await accounts.of({ ...somebody('uGone'), app: 'wx3' }))).not.toBe(sub)
})

test('[U18] an account has at most 100 identities, whatever sub the business names', async () => {
  const { redis, accounts } = await node()
  const people = Array.from({ length: 110 }, () => somebody())
  const met = await Promise.all(people.map((person) => accounts.of(person, { decide: naming('undefined') })))
  expect(met.filter(({ allow }) => allow)).toHaveLength(100)
  expect(met.filter(({ allow }) => !allow)).toEqual(
    Array.from({ length: 10 }, () => ({ allow: false, why: 'ACCOUNT_REFUSED', reason: expect.any(String) })),
  )
  expect(await accounts.link('undefined', somebody())).toBe('full')
  expect(await accounts.adopt(somebody(), 'undefined')).toBe('full')
  const known = people[met.findIndex(({ allow }) => allow)]
  expect(subOf(await accounts.of(known ?? somebody()))).toBe('undefined')
  expect(await accounts.remove('undefined')).toBe(true)
  expect((await keysOf(redis)).filter((name) => name.includes(':account-link:'))).toEqual([])
})

test('[U7] a sub can be written in the address of a route', () => {
  for (const sub of ['1001', 'a.b', '...', 'urn:x~1@y-z_']) expect([sub, isSub(sub)]).toEqual([sub, true])
  for (const sub of ['', '.', '..', 'a/b', 'a b', '{a}', 'é', 'a\n', 'a'.repeat(129)])
    expect([sub, isSub(sub)]).toEqual([sub, false])
})

test('[U7] numbers of claims stay as the business has written them', async () => {
  const { accounts } = await node()
  const claims = parseExact('{"https://shop.example.com/card":9007199254740993}') as Claims
  const sub = subOf(await accounts.of(somebody(), { decide: async () => ({ allow: true, claims }) }))
  expect(JSON.stringify((await accounts.find(sub))?.claims)).toBe('{"https://shop.example.com/card":9007199254740993}')
})

test('[U16] a line whose person gets another account meanwhile leaves nothing in its account', async () => {
  for (let commands = 1; ; commands++) {
    const prefix = uniquePrefix()
    const [living, importing] = [await node(prefix), await node(prefix)]
    const person = somebody('uOvertaken')
    const passed = beforeCommand(importing.redis, commands, async () => {
      await living.accounts.of(person, { decide: naming('theirs') })
    })
    const outcome = await importing.accounts.adopt(person, 'imported')
    if (!passed()) return
    expect(['made', 'added', 'other']).toContain(outcome)
    expect(subOf(await living.accounts.of(person))).toBe(outcome === 'other' ? 'theirs' : 'imported')
    expect([commands, await halves(living)]).toEqual([commands, []])
  }
})
