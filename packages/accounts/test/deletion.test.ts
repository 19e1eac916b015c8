import type { RedisClients } from '@saoma/redis'
import { startRedis, startRedisCluster } from '@saoma/testing'
import { halves, keysOf, type Node, openNode, somebody, subOf, uniquePrefix } from './fixtures.ts'

/* A deletion or a disabling that comes between any two steps of something else (U5, U8, U9). */

/** Holds the command after so many until `act` is done. Resolves with whether there was one. */
const between = ({ data }: RedisClients, commands: number, act: () => Promise<unknown>): { wasHeld(): boolean } => {
  let left = commands
  let acted: Promise<unknown> | undefined
  const send = data.sendCommand.bind(data) as (...args: unknown[]) => unknown
  Object.assign(data, {
    sendCommand: (...args: unknown[]) => {
      if (left-- > 0) return send(...args)
      const [command] = args as [{ promise: Promise<unknown>; reject(error: Error): void }]
      acted ??= act()
      acted.then(
        () => send(...args),
        (error: Error) => command.reject(error),
      )
      return command.promise
    },
  })
  return { wasHeld: () => acted !== undefined }
}

/** Links that lead to an account that is deleted, or is not there. */
const deadLinks = async ({ redis, accounts }: Node): Promise<string[]> => {
  const found: string[] = []
  for (const name of (await keysOf(redis)).filter((each) => /:account-(link|of):/.test(each))) {
    const sub = (await redis.data.get(name)) ?? ''
    const state = (await accounts.find(sub))?.state ?? 'gone'
    if (state === 'deleted' || state === 'gone') found.push(`${name} leads to ${sub}, which is ${state}`)
  }
  return found
}

const topologies = {
  standalone: async () => (await startRedis()).url,
  cluster: async () => (await startRedisCluster()).url,
}
const chosen = { decide: async () => ({ allow: true, sub: '1001' }) as const }

describe.each(Object.keys(topologies) as (keyof typeof topologies)[])('with a %s Redis', (topology) => {
  let url: string
  beforeAll(async () => {
    url = await topologies[topology]()
  })

  const acts: [name: string, act: (node: Node, person: ReturnType<typeof somebody>) => Promise<unknown>][] = [
    ['a first meeting', ({ accounts }, person) => accounts.of(person, chosen)],
    [
      'a meeting in a second app',
      ({ accounts }, person) => accounts.of({ ...person, app: 'wx2', id: 'oSecond' }, chosen),
    ],
    ['an import', ({ accounts }, person) => accounts.adopt({ ...person, app: 'wx3', id: 'oThird' }, '1001')],
    ['a link', ({ accounts }) => accounts.link('1001', { provider: 'app', app: 'shop', id: 'u1', union: 'uShop' })],
  ]

  test.each(acts)(
    '[U9] a deletion between any two steps of %s leaves no link to the deleted account',
    async (name, act) => {
      for (let commands = 0; ; commands++) {
        const prefix = uniquePrefix()
        const [near, far] = [await openNode(url, prefix), await openNode(url, prefix)]
        const person = somebody('uRacing')
        await far.accounts.of(somebody('uOther'))
        // The first meeting makes the account that is deleted; for others it is there.
        if (name !== 'a first meeting') expect(subOf(await far.accounts.of(person, chosen))).toBe('1001')
        const held = between(near.redis, commands, () => far.accounts.remove('1001'))
        await act(near, person).catch(() => {})
        if (!held.wasHeld()) return expect(commands).toBeGreaterThan(3)
        expect([commands, await deadLinks(far)]).toEqual([commands, []])
        // Nothing is half afterwards, whoever comes.
        await far.accounts.of(person)
        expect([commands, await deadLinks(far), await halves(far)]).toEqual([commands, [], []])
      }
    },
  )

  test('[U8] who is disabled while the account is born stays disabled, for good', async () => {
    for (let commands = 0; ; commands++) {
      const prefix = uniquePrefix()
      const [near, far] = [await openNode(url, prefix), await openNode(url, prefix)]
      await far.accounts.of(somebody('uOther'))
      const person = somebody('uBorn')
      let isDisabled = false
      const held = between(near.redis, commands, async () => {
        isDisabled = await far.accounts.setState('1001', 'disabled')
      })
      await near.accounts.of(person, chosen)
      if (!held.wasHeld()) return expect(commands).toBeGreaterThan(3)
      if (!isDisabled) continue
      expect([commands, await far.redis.data.pttl(far.redis.keys.account('1001'))]).toEqual([commands, -1])
      expect(await far.accounts.of(person, chosen)).toMatchObject({ allow: false, why: 'ACCOUNT_DISABLED' })
    }
  })
})

test('[U19] a search finds whose an identity is, creates nobody, and follows no link that is left of a deletion', async () => {
  const { accounts, redis } = await openNode((await startRedis()).url, uniquePrefix())
  const person = somebody('uSought')
  const sub = subOf(await accounts.of(person))
  const before = await keysOf(redis)
  expect(await accounts.search(person)).toBe(sub)
  expect(await accounts.search({ provider: 'wechat', union: 'uSought' })).toBe(sub)
  expect(await accounts.search({ ...person, app: 'wx2' })).toBeUndefined()
  expect(await accounts.search({ provider: 'app', union: 'uSought' })).toBeUndefined()
  expect(await keysOf(redis)).toEqual(before)
  await redis.data.hset(redis.keys.account(sub), 'state', 'deleted')
  await redis.data.hdel(
    redis.keys.account(sub),
    ...(await redis.data.hkeys(redis.keys.account(sub))).filter((each) => each.startsWith('id:')),
  )
  expect(await accounts.search(person)).toBeUndefined()
})
