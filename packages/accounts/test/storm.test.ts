import { startRedis } from '@saoma/testing'
import type { Accounts, Decision, OutsideIdentity } from '../src/index.ts'
import { dieAfter, halves, openNode, uniquePrefix } from './fixtures.ts'

const server = await startRedis()
const SEEDS = Number(process.env.SAOMA_STORM_SEEDS ?? 80)
const [ROUNDS, NODES, ACTS] = [6, 3, 3]
const SUBS = ['a', 'b', 'c']

/** A generator of numbers from 0 to below n, always the same for a seed. */
const randomOf = (seed: number) => {
  let state = Math.imul(seed, 2_654_435_761)
  return (n: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0
    return (state >>> 8) % n
  }
}

/** Four of six have a unionid, each shared by two. */
const people: OutsideIdentity[] = Array.from({ length: 6 }, (_, i) => ({
  provider: 'wechat',
  app: `wx${i % 3}`,
  id: `o${i}`,
  ...(i < 4 ? { union: `u${i % 2}` } : {}),
}))

/** Anything that may be done with accounts. Few people and few names meet often. */
const actOf = (random: (n: number) => number) => {
  const pick = <T>([first, ...rest]: readonly T[]): T => rest[random(rest.length + 1) - 1] ?? (first as T)
  const decide = async (): Promise<Decision> => {
    const answer = random(6)
    if (answer === 0) return { allow: false, why: 'ACCOUNT_REFUSED' }
    if (answer > 2) return { allow: true }
    return { allow: true, sub: pick(SUBS), claims: { name: `Name ${random(3)}` } }
  }
  return (accounts: Accounts): Promise<unknown> => {
    const [person, sub] = [pick(people), pick(SUBS)]
    const met = () => accounts.of(person, { decide })
    return pick([
      met,
      met,
      met,
      met,
      () => accounts.remove(sub),
      () => accounts.link(sub, person),
      () => accounts.unlink(sub, person),
      () => accounts.adopt(person, sub, { name: 'Imported' }),
    ])()
  }
}

test('[U5] whatever comes together with whatever, on nodes of which half die, no account is half', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = randomOf(seed)
    const act = actOf(random)
    const prefix = uniquePrefix()
    for (let round = 0; round < ROUNDS; round++) {
      const nodes = await Promise.all(Array.from({ length: NODES }, () => openNode(server.url, prefix)))
      for (const { redis } of nodes) if (random(2)) dieAfter(redis, random(25))
      await Promise.all(
        nodes.flatMap(({ accounts }) => Array.from({ length: ACTS }, () => act(accounts).catch(() => undefined))),
      )
      await Promise.all(nodes.map(({ redis }) => redis.close()))
    }
    const living = await openNode(server.url, prefix)
    // Who comes by a unionid repairs its link.
    const newcomers = ['u0', 'u1'].map((union) => ({ provider: 'wechat' as const, app: 'wx9', id: union, union }))
    for (const person of [...people, ...newcomers]) {
      const met = await living.accounts.of(person)
      expect([seed, met.allow]).toEqual([seed, true])
      if (met.allow) expect(await living.accounts.identities(met.sub)).toContainEqual(expect.objectContaining(person))
    }
    // What a deletion that nobody repeated leaves is deleted all the same.
    const isDeleted = async (half: string) =>
      (await living.accounts.find(half.split(' ')[0] ?? ''))?.state === 'deleted'
    const wrong: string[] = []
    for (const half of await halves(living)) if (!(await isDeleted(half))) wrong.push(half)
    expect([seed, wrong]).toEqual([seed, []])
    await living.redis.close()
  }
}, 300_000)
