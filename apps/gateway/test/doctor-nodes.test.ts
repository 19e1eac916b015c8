import { CLUSTER_VERSION, type Connection, VERSION_BESIDE } from '@saoma/redis'
import { type Gateway, type RedisServer, startGateway, startRedis, until } from '@saoma/testing'
import { version } from '../src/operate/version.ts'
import { diagnose, SETTINGS } from './diagnosis.ts'
import { failuresOf, openOperator } from './fixtures.ts'

let redis: RedisServer
let operator: Connection
const nodes: Gateway[] = []

const settings = () => ({ ...SETTINGS, REDIS_URL: redis.url })
const look = (check: 'nodes' | 'clocks', env: Record<string, string> = {}) =>
  diagnose(['--json', '--only', check], { ...settings(), ...env })
const start = async (nodeId: string) => {
  const node = await startGateway({ redisUrl: redis.url, nodeId, origin: 'http://127.0.0.1' })
  nodes.push(node)
  // A node renews its lease a second after its start for the first time.
  await until(
    () => operator.zcard('saoma:nodes'),
    (count) => count === nodes.length,
  )
  return node
}
const says = (node: Gateway) => `${node.id} \\(${version}, process ${node.pid} on \\S+\\)`

/** A node of a build that did not write its version and its clock down. */
const pretendNode = async (nodeId: string, more: Record<string, unknown> = {}): Promise<void> => {
  const holder = JSON.stringify({ run: 'r', host: 'elsewhere', pid: 7, ...more })
  await operator.set(`saoma:node-name:{${nodeId}}`, holder, 'PX', 600_000)
  await operator.zadd('saoma:nodes', Date.now() + 600_000, `${nodeId}.AAAAAAAA`)
}
const forget = async (nodeId: string): Promise<void> => {
  await operator.del(`saoma:node-name:{${nodeId}}`)
  await operator.del(`saoma:node-clock:{${nodeId}}`)
  await operator.zrem('saoma:nodes', `${nodeId}.AAAAAAAA`)
}

beforeAll(async () => {
  redis = await startRedis()
  operator = await openOperator(redis.url)
})

test('without a node it says so, and looks on', async () => {
  const { code, of } = await look('nodes')
  expect(code).toBe(0)
  expect(of('nodes-live')).toEqual(['warning: No node is running.'])
  expect(of('nodes-version')).toEqual([])
})

test('nodes that run are named with version and process, and do not notice the look', async () => {
  const a = await start('a')
  const alone = await look('nodes')
  expect(alone.of('nodes-live')).toEqual([expect.stringMatching(`^warning: 1 node is running: ${says(a)}\\.$`)])
  const b = await start('b')
  const names = () => operator.mget('saoma:node-name:{a}', 'saoma:node-name:{b}')
  const before = await names()
  const { code, findings, of } = await look('nodes', { SAOMA_NODE_ID: 'a' })
  expect(code).toBe(0)
  expect(of('nodes-live')).toEqual([expect.stringMatching(`^ok: 2 nodes are running: ${says(a)}, ${says(b)}\\.$`)])
  expect(of('nodes-version')).toEqual([`ok: All nodes are of version ${version}, as this command is.`])
  expect(findings.filter(({ level }) => level === 'error')).toEqual([])
  await diagnose(['--json'], { ...settings(), SAOMA_NODE_ID: 'b' })
  expect(await names()).toEqual(before)
  for (const node of nodes) {
    expect(failuresOf(node)).toEqual([])
    expect((await fetch(`${node.internalOrigin}/readyz`)).status).toBe(200)
  }
})

test('nodes of several versions are a warning, also one of a build that did not tell', async () => {
  await pretendNode('c', { release: '9.8.7' })
  await pretendNode('d')
  expect((await look('nodes')).of('nodes-version')).toEqual([
    expect.stringMatching(
      /^warning: The nodes are of 3 versions: a \(.+\), b \(.+\), c \(9\.8\.7, process 7 on elsewhere\), d \(of an unknown version, before 0\.2, process 7 on elsewhere\)\.$/,
    ),
  ])
  await forget('c')
  await forget('d')
})

test('the clocks of Redis and nodes are compared, and a wrong one is named', async () => {
  await until(
    async () => operator.mget('saoma:node-clock:{a}', 'saoma:node-clock:{b}'),
    (clocks) => clocks.every((clock) => clock !== null),
  )
  const well = await look('clocks')
  expect(well.of('clock-redis')).toEqual([
    expect.stringMatching(
      `^ok: The clock of Redis at 127.0.0.1:${redis.port} is .+ m?s (ahead of|behind) that of this`,
    ),
  ])
  expect(well.of('clock-node')).toEqual(
    ['a', 'b'].map((id) =>
      expect.stringMatching(`^(ok|warning): The clock of node ${id} is .+ ms (ahead of|behind) that of Redis`),
    ),
  )
  await pretendNode('c')
  const setClock = (aheadMs: number) => operator.set('saoma:node-clock:{c}', Date.now() + aheadMs, 'PX', 15_000)
  const ofC = async () => (await look('clocks')).of('clock-node').filter((line) => line.includes('ode c '))
  expect(await ofC()).toEqual(['skipped: Node c has not written down what its clock says.'])
  await setClock(-2_000)
  expect(await ofC()).toEqual([expect.stringMatching(/^warning: The clock of node c is \d{4} ms behind that of Redis/)])
  await setClock(60_000)
  expect(await ofC()).toEqual([
    expect.stringMatching(/^error: The clock of node c is (59|60|61) s ahead of that of Redis: other/),
  ])
  await forget('c')
})

test.each([
  [2_000, 'ahead of'],
  [-60_000, 'behind'],
])('a machine whose clock is %d ms wrong is told that it is its own: nodes and Redis agree', async (ms, way) => {
  const shifted = `data:text/javascript,const now = Date.now; Date.now = () => now() + ${ms}`
  const { code, of } = await look('clocks', { NODE_OPTIONS: `--import="${shifted}"` })
  expect(of('clock-redis')).toEqual([
    expect.stringMatching(
      `^warning: The clock of this machine is .+ ${way} that of Redis at .+, with which all nodes agree\\.$`,
    ),
  ])
  // Nodes and Redis agree, so no node is blamed. On a busy machine a reading may be some 100 ms old.
  expect(of('clock-node')).toEqual(
    ['a', 'b'].map((id) => expect.stringMatching(`^(ok|warning): The clock of node ${id} `)),
  )
  expect(code).toBe(0)
})

test('a cluster version beside ours is a warning, and another one an error', async () => {
  await Promise.all(nodes.map((node) => node.stop()))
  const standing = async (cluster: number) => {
    await operator.set('saoma:cluster-version', cluster, 'PX', 600_000)
    return (await look('nodes')).of('nodes-cluster-version')
  }
  expect(await standing(CLUSTER_VERSION)).toEqual([
    `ok: The cluster is of version ${CLUSTER_VERSION}, as the nodes of this build are.`,
  ])
  const beside: number = VERSION_BESIDE
  if (beside !== CLUSTER_VERSION)
    expect(await standing(beside)).toEqual([
      expect.stringMatching(`^warning: Nodes of cluster version ${beside} are running\\.`),
    ])
  expect(await standing(0)).toEqual([
    expect.stringMatching(/^error: Nodes of cluster version 0 are running, and those/),
  ])
  expect(await standing(99)).toEqual([
    `warning: The cluster is of version 99, and this command is older (${CLUSTER_VERSION}).`,
  ])
})

test('without Redis neither is looked at', async () => {
  await redis.stop()
  expect((await look('nodes')).of('nodes-live')).toEqual(['skipped: Nodes were not looked at: Redis does not answer.'])
  expect((await look('clocks')).of('clock-redis')).toEqual([
    'skipped: Clocks were not compared: Redis does not answer.',
  ])
})
