import { startRedis } from '@saoma/testing'
import { accountContract } from './contract.ts'
import { openNode, somebody, subOf, uniquePrefix } from './fixtures.ts'

const server = await startRedis()
accountContract(server.url)

test('[U14] people who are known can come while Redis is full', async () => {
  const full = await startRedis()
  const { redis, accounts } = await openNode(full.url, uniquePrefix())
  const [person, stranger] = [somebody('uFull'), somebody()]
  const sub = subOf(await accounts.of(person))
  await redis.data.call('CONFIG', 'SET', 'maxmemory', '1')
  expect(subOf(await accounts.of(person))).toBe(sub)
  await expect(accounts.of(stranger)).rejects.toThrow('Redis cannot be reached')
  expect(await accounts.setState(sub, 'disabled')).toBe(true)
  expect(await accounts.remove(sub)).toBe(true)
})
