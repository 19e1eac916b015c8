import { onCleanup, startRedis, until } from '@saoma/testing'
import { createAccounts, openAccountKeys } from '../src/index.ts'
import { openNode, openRedis, SECRET, somebody, subOf, uniquePrefix } from './fixtures.ts'

const server = await startRedis()
const NEXT = 'the next secret, of thirty-two characters or more'

test('[U13] people are found after SAOMA_SECRET has changed twice', async () => {
  const prefix = uniquePrefix()
  const { accounts } = await openNode(server.url, prefix)
  const person = somebody()
  const sub = subOf(await accounts.of(person))
  const redis = await openRedis(server.url, prefix)
  const after = async (secrets: [string, ...string[]]) => {
    const keys = await openAccountKeys(redis, { secrets })
    keys.close()
    return subOf(await createAccounts(redis, keys).of(person))
  }
  expect(await after([NEXT, SECRET])).toBe(sub)
  // A node that is not updated yet may start again, and later the former secret is not needed any more.
  expect(await after([SECRET])).toBe(sub)
  expect(await after([NEXT])).toBe(sub)
  expect(await after([`${NEXT}, again`, NEXT])).toBe(sub)
  expect(await after([`${NEXT}, again`])).toBe(sub)
})

test('[U13] a wrong secret is refused, and changes nothing', async () => {
  const prefix = uniquePrefix()
  const { redis } = await openNode(server.url, prefix)
  const before = await redis.data.get(redis.keys.accountKeys())
  await expect(openAccountKeys(redis, { secrets: [NEXT] })).rejects.toMatchObject({ code: 'WRONG_SECRET' })
  expect(await redis.data.get(redis.keys.accountKeys())).toBe(before)
})

test('[U13] nodes that start at the same time have the same keys', async () => {
  const prefix = uniquePrefix()
  const nodes = await Promise.all(Array.from({ length: 8 }, () => openNode(server.url, prefix)))
  const person = somebody()
  const met = await Promise.all(nodes.map(({ accounts }) => accounts.of(person)))
  expect(new Set(met.map(subOf)).size).toBe(1)
})

test('[U13] keys that Redis lost are put back, beside those of a node that had to begin without them', async () => {
  const prefix = uniquePrefix()
  const [redis, other] = [await openRedis(server.url, prefix), await openRedis(server.url, prefix)]
  const first = await openAccountKeys(redis, { secrets: [SECRET], checkMs: 20 })
  onCleanup(() => first.close())
  const [early, late] = [somebody(), somebody()]
  const sub = subOf(await createAccounts(redis, first).of(early))
  await redis.data.del(redis.keys.accountKeys())
  const second = await openAccountKeys(other, { secrets: [SECRET], checkMs: 20 })
  onCleanup(() => second.close())
  const lateSub = subOf(await createAccounts(other, second).of(late))
  await until(
    async () => [first, second].map((keys) => keys.boxes().map((box) => box.name('which key is it?'))),
    ([one, another]) => JSON.stringify(one) === JSON.stringify(another),
  )
  for (const keys of [first, second]) {
    expect(subOf(await createAccounts(redis, keys).of(early))).toBe(sub)
    expect(subOf(await createAccounts(redis, keys).of(late))).toBe(lateSub)
  }
})
