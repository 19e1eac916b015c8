import type { Connection } from '@saoma/redis'
import { freePort, type RedisServer, startRedis } from '@saoma/testing'
import { diagnose, SETTINGS } from './diagnosis.ts'
import { openOperator } from './fixtures.ts'

let redis: RedisServer
let operator: Connection
beforeAll(async () => {
  redis = await startRedis()
  operator = await openOperator(redis.url)
})

/** A node whose clock is so far ahead of that of Redis. */
const pretendNode = async (nodeId: string, aheadMs: number): Promise<void> => {
  await operator.zadd('saoma:nodes', Date.now() + 600_000, `${nodeId}.AAAAAAAA`)
  await operator.set(`saoma:node-clock:{${nodeId}}`, Date.now() + aheadMs, 'PX', 15_000)
}
const shifted = (ms: number) => ({
  NODE_OPTIONS: `--import="data:text/javascript,const now = Date.now; Date.now = () => now() + ${ms}"`,
})
const clocks = (env: Record<string, string>) =>
  diagnose(['--json', '--only', 'clocks'], { ...SETTINGS, REDIS_URL: redis.url, ...env })

describe('the clock of this machine', () => {
  test('without a node nobody knows whose is wrong', async () => {
    const { code, of } = await clocks(shifted(-60_000))
    expect(of('clock-redis')).toEqual([
      expect.stringMatching(/^error: The clock of Redis at .+ ahead of that of this /),
    ])
    expect(code).toBe(1)
  })

  test('if all nodes agree with Redis it is this one, and the cluster is well', async () => {
    await pretendNode('a', 0)
    await pretendNode('b', 0)
    const { code, findings, of } = await clocks(shifted(-60_000))
    expect(of('clock-redis')).toEqual([
      expect.stringMatching(
        /^warning: The clock of this machine is 60 s behind that of Redis at .+, with which all nodes/,
      ),
    ])
    expect(findings.find((one) => one.code === 'clock-redis')?.todo).toMatch(/^Synchronise this machine/)
    expect(code).toBe(0)
  })

  test('a node that is behind may have been written down by a slow Redis', async () => {
    await pretendNode('a', -2_000)
    await pretendNode('b', 2_000)
    const { of } = await clocks({})
    const [a, b] = of('clock-node')
    expect(a).toMatch(/^warning: .+ behind that of Redis, or Redis was slow when the node wrote it down: /)
    expect(b).toMatch(/^warning: .+ ahead of that of Redis: /)
  })
})

describe('a loopback origin', () => {
  const look = async (args: string[], env: Record<string, string>) => {
    const origin = `http://127.0.0.1:${await freePort()}`
    const settings = { ...SETTINGS, SAOMA_ORIGIN: origin, ...env }
    return diagnose(['--json', '--only', 'origin', ...args.map((arg) => arg.replace('ORIGIN', origin))], settings)
  }
  // Kubernetes sets this in each pod.
  const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }

  test('is not looked at from inside of a container, as a node does not', async () => {
    const { code, of } = await look([], pod)
    expect(of('origin-connect')).toEqual([
      expect.stringMatching(/^skipped: .+ is this container alone when it is asked/),
    ])
    expect(code).toBe(0)
  })

  test('is looked at if somebody asks for it', async () => {
    const { code, of } = await look(['--origin', 'ORIGIN'], pod)
    expect(of('origin-connect')).toEqual([expect.stringMatching(/^error: /)])
    expect(code).toBe(1)
  })
})
