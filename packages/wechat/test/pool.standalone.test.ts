import { onCleanup, startRedis } from '@saoma/testing'
import { createPool } from '../src/index.ts'
import { poolContract } from './pool-contract.ts'
import { APPID, addCodes, LONG, leaseOf, openRedis } from './pool-fixtures.ts'

const server = await startRedis()
poolContract(server.url)

test('[P29] codes that were fresh before a restart of Redis need a number after it', async () => {
  const restarted = await startRedis({ appendonly: true })
  onCleanup(() => restarted.stop())
  const before = createPool(await openRedis(restarted.url, 'test'), { appid: APPID, quarantineMs: LONG })
  await addCodes(before, 2)
  expect((await leaseOf(before)).check).toBeUndefined()
  await restarted.kill()
  await restarted.restart()
  const after = createPool(await openRedis(restarted.url, 'test'), { appid: APPID, quarantineMs: LONG })
  expect((await leaseOf(after)).check).toMatch(/^[1-9]\d$/)
})
