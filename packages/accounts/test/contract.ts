import { createHash } from 'node:crypto'
import type { Decision } from '../src/index.ts'
import { contentsOf, dieAfter, halves, keysOf, openNode, somebody, subOf, uniquePrefix } from './fixtures.ts'

const plainLink = (openid: string) => createHash('sha256').update(`wechat:wx1:${openid}`).digest('base64url')

/** The rules of SPEC.md that hold on every topology. */
export const accountContract = (url: string): void => {
  const node = (prefix = uniquePrefix(), options = {}) => openNode(url, prefix, options)

  test('[U1] one identity is one account, however many nodes meet it first', async () => {
    const prefix = uniquePrefix()
    const [a, b] = [await node(prefix), await node(prefix)]
    const person = somebody()
    const met = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? a : b).accounts.of(person)))
    const subs = new Set(met.map(subOf))
    expect(subs.size).toBe(1)
    const [sub = ''] = subs
    expect(sub).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(await a.accounts.find(sub)).toEqual({ sub, state: 'active', claims: {} })
    expect(await a.accounts.identities(sub)).toEqual([person])
    expect((await keysOf(a.redis)).filter((name) => name.includes(':account:'))).toHaveLength(1)
    expect(await halves(a)).toEqual([])
  })

  test('[U2] Redis holds no openid, unionid or claim that it could read', async () => {
    const { redis, accounts } = await node()
    const decide = async (): Promise<Decision> => ({
      allow: true,
      claims: { name: 'Ann Secret', phone_number: '+8613800138000' },
    })
    const sub = subOf(
      await accounts.of({ provider: 'wechat', app: 'wx1', id: 'oSecretId', union: 'uSecret' }, { decide }),
    )
    const all = await contentsOf(redis)
    for (const personal of ['oSecretId', 'uSecret', 'Ann', '13800138000']) expect(all).not.toContain(personal)
    const hashes = ['oSecretId', 'wechat:wx1:oSecretId', JSON.stringify(['wechat', 'wx1', 'oSecretId'])]
    for (const text of hashes) expect(all).not.toContain(createHash('sha256').update(text).digest('base64url'))
    expect((await accounts.find(sub))?.claims).toEqual({ name: 'Ann Secret', phone_number: '+8613800138000' })
  })

  test('[U3] what one account holds does not open in another', async () => {
    const { redis, accounts } = await node()
    const decide = async (): Promise<Decision> => ({ allow: true, claims: { name: 'Ann' } })
    const ann = subOf(await accounts.of(somebody(), { decide }))
    const bob = subOf(await accounts.of(somebody()))
    await redis.data.hset(
      redis.keys.account(bob),
      'claims',
      (await redis.data.hget(redis.keys.account(ann), 'claims')) ?? '',
    )
    expect((await accounts.find(bob))?.claims).toEqual({})
  })

  test('[U4] people with one unionid are one account, however many apps meet them first', async () => {
    const prefix = uniquePrefix()
    const [a, b] = [await node(prefix), await node(prefix)]
    const apps = Array.from({ length: 20 }, (_, i) => ({ ...somebody('uSame'), app: `wx${i}` }))
    const met = await Promise.all(apps.map((person, i) => (i % 2 ? a : b).accounts.of(person)))
    expect(new Set(met.map(subOf)).size).toBe(1)
    expect(await a.accounts.identities(subOf(met[0] as (typeof met)[number]))).toHaveLength(20)
    expect(await halves(a)).toEqual([])
  })

  test('[U4] an identity that has an account keeps it when its unionid becomes known', async () => {
    const { accounts } = await node()
    const [first, second] = [somebody(), { ...somebody(), app: 'wx2' }]
    const subs = [subOf(await accounts.of(first)), subOf(await accounts.of(second))]
    expect(subs[0]).not.toBe(subs[1])
    const later = [first, second].map((person) => ({ ...person, union: 'uLate' }))
    expect(subOf(await accounts.of(later[0] ?? first))).toBe(subs[0])
    expect(subOf(await accounts.of(later[1] ?? second))).toBe(subs[1])
    // Those who come later find the one that was first.
    expect(subOf(await accounts.of({ ...somebody('uLate'), app: 'wx3' }))).toBe(subs[0])
  })

  test('[U5] a node that dies between any two steps of a birth leaves no half account', async () => {
    for (let commands = 0; ; commands++) {
      const prefix = uniquePrefix()
      const [dying, living] = [await node(prefix), await node(prefix)]
      const person = somebody('uDying')
      // The scripts are known, so that each command is a step.
      await living.accounts.of(somebody('uOther'))
      const death = dieAfter(dying.redis, commands)
      await dying.accounts.of(person).catch(() => {})
      for (const link of (await keysOf(living.redis)).filter((name) => name.includes(':account-link:')))
        expect(await living.accounts.find((await living.redis.data.get(link)) ?? '')).toBeDefined()
      const sub = subOf(await living.accounts.of(person))
      expect([commands, await halves(living)]).toEqual([commands, []])
      expect(await living.accounts.identities(sub)).toEqual([person])
      // What nobody can know of goes by itself.
      const accounts = (await keysOf(living.redis)).filter((name) => name.includes(':account:'))
      for (const name of accounts.filter((name) => !name.includes(sub)))
        if (!(await living.accounts.identities(/\{(.+)\}/.exec(name)?.[1] ?? '')).length)
          expect(await living.redis.data.pttl(name)).toBeGreaterThan(0)
      if (!death.isDead()) return
    }
  })

  test('[U6] an account that was lost is made again under its name', async () => {
    const { redis, accounts } = await node()
    const person = somebody()
    const sub = subOf(await accounts.of(person))
    await redis.data.del(redis.keys.account(sub))
    const asked: unknown[] = []
    const again = await accounts.of(person, {
      decide: async (known) => {
        asked.push(known)
        return { allow: true, claims: { name: 'Ann' } }
      },
    })
    expect(subOf(again)).toBe(sub)
    expect(asked).toEqual([{ isNew: true, sub }])
    expect(await accounts.find(sub)).toEqual({ sub, state: 'active', claims: { name: 'Ann' } })
    expect(await accounts.identities(sub)).toEqual([person])
  })

  test('[U7] the business chooses the sub of a birth, says no, or says nothing', async () => {
    const { redis, accounts } = await node()
    const before = await keysOf(redis)
    const no = { allow: false, why: 'ACCOUNT_REFUSED', detail: '您不是会员' } as const
    const silent = { allow: false, why: 'BACKEND_UNAVAILABLE' } as const
    const person = somebody()
    expect(await accounts.of(person, { decide: async () => no })).toEqual(no)
    expect(await accounts.of(person, { decide: async () => silent })).toEqual(silent)
    expect(await keysOf(redis)).toEqual(before)
    expect(subOf(await accounts.of(person, { decide: async () => ({ allow: true, sub: '1001' }) }))).toBe('1001')
    // A sub never changes.
    expect(subOf(await accounts.of(person, { decide: async () => ({ allow: true, sub: '2002' }) }))).toBe('1001')
    // Another identity with that sub is the same person.
    const other = somebody()
    expect(subOf(await accounts.of(other, { decide: async () => ({ allow: true, sub: '1001' }) }))).toBe('1001')
    expect(await accounts.identities('1001')).toEqual(expect.arrayContaining([person, other]))
    expect(await accounts.of(person, { decide: async () => no })).toEqual({ ...no, sub: '1001' })
  })

  test('[U7] claims that the business sends later replace those that are there', async () => {
    const { accounts } = await node()
    const person = somebody()
    const saying = (name: string) => ({ decide: async (): Promise<Decision> => ({ allow: true, claims: { name } }) })
    const sub = subOf(await accounts.of(person, saying('Ann')))
    await accounts.of(person)
    expect((await accounts.find(sub))?.claims).toEqual({ name: 'Ann' })
    await accounts.of(person, saying('Anna'))
    expect((await accounts.find(sub))?.claims).toEqual({ name: 'Anna' })
  })

  test('[U17] a number of WeChat is added, and outlives claims of the business that have none', async () => {
    const { accounts } = await node()
    const person = somebody()
    const saying = (said: Partial<Decision & { allow: true }>) => ({
      decide: async (): Promise<Decision> => ({ allow: true, ...said }),
    })
    const [first, second] = ['+8613800138000', '+8613900139000'] as const
    const sub = subOf(await accounts.of(person, saying({ claims: { name: 'Ann' } })))
    const claims = async () => (await accounts.find(sub))?.claims
    const verified = (phone_number: string) => ({ phone_number, phone_number_verified: true })
    await accounts.of(person, saying({ phoneNumber: first }))
    expect(await claims()).toEqual({ name: 'Ann', ...verified(first) })
    await accounts.of(person, saying({ claims: { name: 'Anna' } }))
    expect(await claims()).toEqual({ name: 'Anna', ...verified(first) })
    await accounts.of(person, saying({ claims: { phone_number: second } }))
    expect(await claims()).toEqual({ phone_number: second })
    await accounts.of(person, saying({ phoneNumber: first }))
    expect(await claims()).toEqual(verified(first))
    await accounts.of(person, saying({ claims: { name: 'Ann', phone_number: first } }))
    expect(await claims()).toEqual({ name: 'Ann', ...verified(first) })
    // Another identity, for which the business names this account.
    const other = await accounts.of(somebody(), saying({ sub, phoneNumber: second }))
    expect([subOf(other), await claims()]).toEqual([sub, { name: 'Ann', ...verified(second) }])
  })

  test('[U20] what the token of an app says is added, and claims of the business take the place of all', async () => {
    const { accounts } = await node()
    const person = somebody()
    const after = async (said: Partial<Decision & { allow: true }>) => {
      const sub = subOf(await accounts.of(person, { decide: async () => ({ allow: true, ...said }) }))
      return (await accounts.find(sub))?.claims
    }
    const [first, second] = ['+8613800138000', '+8613900139000'] as const
    const verified = { phone_number: first, phone_number_verified: true }
    expect(await after({ profile: { name: 'Ann' } })).toEqual({ name: 'Ann' })
    expect(await after({ phoneNumber: first })).toEqual({ name: 'Ann', ...verified })
    expect(await after({ profile: { locale: 'zh-CN' } })).toEqual({ name: 'Ann', locale: 'zh-CN', ...verified })
    // The app's number is not one that WeChat has told.
    const changed = { name: 'Ann', locale: 'zh-CN', phone_number: second }
    expect(await after({ profile: { phone_number: second } })).toEqual(changed)
    expect(await after({ claims: { name: 'Anna' }, profile: { locale: 'en' } })).toEqual({ name: 'Anna' })
  })

  test('[U17] a number that arrives while the business decides about another login is not lost', async () => {
    const { accounts } = await node()
    const person = somebody()
    const sub = subOf(await accounts.of(person))
    const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow = accounts.of(person, {
      decide: async () => {
        asked.resolve()
        await answered.promise
        return { allow: true, claims: { name: 'Ann' } }
      },
    })
    await asked.promise
    const phoneNumber = '+8613800138000'
    await accounts.of(person, { decide: async () => ({ allow: true, phoneNumber }) })
    answered.resolve()
    expect(subOf(await slow)).toBe(sub)
    const claims = { name: 'Ann', phone_number: phoneNumber, phone_number_verified: true }
    expect(await accounts.find(sub)).toEqual({ sub, state: 'active', claims })
  })

  test('[U8] a disabled account is refused until it is enabled again', async () => {
    const { accounts } = await node()
    const person = somebody()
    const sub = subOf(await accounts.of(person))
    expect(await accounts.setState(sub, 'disabled')).toBe(true)
    expect(await accounts.of(person)).toEqual({ allow: false, why: 'ACCOUNT_DISABLED', sub })
    expect((await accounts.find(sub))?.state).toBe('disabled')
    const asNew = { decide: async (): Promise<Decision> => ({ allow: true, sub }) }
    expect(await accounts.of(somebody(), asNew)).toEqual({ allow: false, why: 'ACCOUNT_DISABLED' })
    expect(await accounts.setState(sub, 'active')).toBe(true)
    expect(subOf(await accounts.of(person))).toBe(sub)
    expect(await accounts.setState('nobody', 'disabled')).toBe(false)
  })

  test('[U9] nothing of a deleted person is left, and whoever comes again is somebody else', async () => {
    const { redis, accounts } = await node()
    const before = (await keysOf(redis)).length
    const person = somebody('uGone')
    const decide = async (): Promise<Decision> => ({ allow: true, claims: { name: 'Ann' } })
    const sub = subOf(await accounts.of(person, { decide }))
    await accounts.link(sub, { ...somebody(), app: 'wx2' })
    expect(await accounts.remove(sub)).toBe(true)
    expect(await keysOf(redis)).toHaveLength(before + 1)
    expect(await redis.data.hgetall(redis.keys.account(sub))).toEqual({ state: 'deleted' })
    expect(await redis.data.pttl(redis.keys.account(sub))).toBeGreaterThan(0)
    expect(await accounts.find(sub)).toEqual({ sub, state: 'deleted', claims: {} })
    expect(await accounts.setState(sub, 'active')).toBe(false)
    expect(await accounts.of(person, { decide: async () => ({ allow: true, sub }) })).toMatchObject({ allow: false })
    expect(subOf(await accounts.of(person))).not.toBe(sub)
    expect(await accounts.remove(sub)).toBe(true)
    expect(await accounts.remove('nobody')).toBe(false)
  })

  test('[U9] a deletion that was interrupted is complete for whoever comes', async () => {
    for (let commands = 1; ; commands++) {
      const prefix = uniquePrefix()
      const [dying, living] = [await node(prefix), await node(prefix)]
      const person = somebody('uInterrupted')
      const sub = subOf(await living.accounts.of(person))
      const death = dieAfter(dying.redis, commands)
      await dying.accounts.remove(sub).catch(() => {})
      const now = await living.accounts.find(sub)
      const again = subOf(await living.accounts.of(person))
      if (now?.state === 'active') expect(again).toBe(sub)
      else expect(again).not.toBe(sub)
      await living.accounts.remove(sub)
      if (now?.state !== 'active') expect(subOf(await living.accounts.of(person))).toBe(again)
      if (!death.isDead()) return
    }
  })

  test('[U10] another identity is linked, unless it has an account, and taken off, unless it is the last', async () => {
    const node1 = await node()
    const { accounts } = node1
    const [first, second, third] = [somebody(), somebody(), somebody()]
    const sub = subOf(await accounts.of(first))
    const other = subOf(await accounts.of(third))
    expect(await accounts.link(sub, second)).toBe('linked')
    expect(await accounts.link(sub, second)).toBe('linked')
    expect(await accounts.link(sub, third)).toBe('taken')
    expect(await accounts.link('nobody', somebody())).toBe('none')
    expect(subOf(await accounts.of(second))).toBe(sub)
    expect(subOf(await accounts.of(third))).toBe(other)
    expect(await accounts.unlink(sub, first)).toBe('unlinked')
    expect(await accounts.unlink(sub, first)).toBe('none')
    expect(await accounts.unlink(sub, second)).toBe('last')
    expect(await accounts.unlink(other, second)).toBe('none')
    expect(subOf(await accounts.of(second))).toBe(sub)
    expect(subOf(await accounts.of(first))).not.toBe(sub)
    expect(await halves(node1)).toEqual([])
  })

  test('[U11] an account of a former version is found, keeps its sub, and becomes one of today when it is met', async () => {
    const { redis, accounts } = await node()
    const person = somebody()
    const link = redis.keys.accountOf(plainLink(person.id))
    await redis.data.hset(redis.keys.account('old-sub'), { via: 'wechat' })
    await redis.data.set(link, 'old-sub')
    expect(await accounts.find('old-sub')).toEqual({ sub: 'old-sub', state: 'active', claims: {} })
    const decided: unknown[] = []
    const decide = async (known: unknown) => void decided.push(known)
    expect(subOf(await accounts.of(person, { decide }))).toBe('old-sub')
    expect(decided).toEqual([{ isNew: false, sub: 'old-sub' }])
    expect(await accounts.identities('old-sub')).toEqual([person])
    expect(await redis.data.exists(link)).toBe(0)
    expect(subOf(await accounts.of(person))).toBe('old-sub')
  })

  test('[U11] the name of a former demo person is kept, and no longer in plain text', async () => {
    const { redis, accounts } = await node()
    await redis.data.hset(redis.keys.account('old-demo'), { via: 'demo', name: 'Ann' })
    await redis.data.set(redis.keys.accountOf(createHash('sha256').update('demo:Ann').digest('base64url')), 'old-demo')
    expect((await accounts.find('old-demo'))?.claims).toEqual({ name: 'Ann' })
    expect(subOf(await accounts.of({ provider: 'demo', app: '', id: 'Ann' }))).toBe('old-demo')
    expect((await accounts.find('old-demo'))?.claims).toEqual({ name: 'Ann' })
    expect(await contentsOf(redis)).not.toContain('"Ann"')
  })

  test('[U12] beside nodes of a former version, both find the same accounts', async () => {
    const prefix = uniquePrefix()
    const [mixed, alone] = [await node(prefix, { isAlone: () => false }), await node(prefix)]
    const { data, keys } = mixed.redis
    const person = somebody()
    const sub = subOf(await mixed.accounts.of(person))
    expect(await data.get(keys.accountOf(plainLink(person.id)))).toBe(sub)
    expect(await data.hget(keys.account(sub), 'via')).toBe('wechat')
    // A former node was first.
    const other = somebody()
    await data.hset(keys.account('theirs'), { via: 'wechat' })
    await data.set(keys.accountOf(plainLink(other.id)), 'theirs')
    expect(subOf(await mixed.accounts.of(other))).toBe('theirs')
    expect(await data.get(keys.accountOf(plainLink(other.id)))).toBe('theirs')
    // Nodes learn at different moments that they are alone.
    for (let i = 0; i < 50; i++) {
      const both = somebody()
      const met = await Promise.all([mixed.accounts.of(both), alone.accounts.of(both)])
      expect(new Set(met.map(subOf)).size).toBe(1)
    }
    expect(await halves(alone)).toEqual([])
  })
}
