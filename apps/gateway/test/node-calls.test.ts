import { createRedis } from '@saoma/redis'
import { onCleanup, startRedis, until } from '@saoma/testing'
import { createLog } from '../src/operate/log.ts'
import { createNodeCalls } from '../src/operate/node-calls.ts'
import type { NodeReport } from '../src/operate/node-report.ts'

const load = { lagMs: 0, busy: 0, cpu: 0, memory: 1, sockets: 0, people: 0, tickets: 0, channels: 0, followers: 0 }
const well: NodeReport = {
  ...{ version: '1', since: '2026-11-30T09:00:00Z', ready: true, draining: false, reasons: [], warnings: [], load },
}

test('a node repeats its report for a while, and says in it that it was told to drain', async () => {
  const redis = await createRedis({ url: (await startRedis()).url, probeMs: 0 })
  const log = createLog({ level: 'silent', node: 'test' })
  let reported = 0
  let left = 0
  const calls = createNodeCalls(
    {
      ...{ redis, log, leave: () => void left++ },
      report: async () => {
        reported++
        return well
      },
    },
    { nodeId: 'a', repeatMs: 600_000 },
  )
  onCleanup(async () => {
    calls.close()
    await redis.close()
  })
  const told = async () => (await calls.reports(['a'])).get('a')
  await until(told, (answer) => answer !== undefined)
  for (let i = 0; i < 10; i++) expect(await told()).toEqual(well)
  expect(reported).toBe(1)
  expect(await calls.drain('a')).toBe(true)
  expect(await told()).toEqual({ ...well, ready: false, draining: true, reasons: ['draining'] })
  expect([left, reported]).toEqual([1, 1])
})
