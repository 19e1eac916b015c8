import { fileURLToPath } from 'node:url'
import { plainEnv, type RedisServer, startProcess } from '@saoma/testing'
import { freshPrefix, type Node, scene, startNode, startRedis, startWechat, tokenPath } from './nodes.ts'

let server: RedisServer
let simulator: Awaited<ReturnType<typeof startWechat>>

beforeAll(async () => {
  ;[server, simulator] = await Promise.all([startRedis(), startWechat()])
})
beforeEach(async () => {
  await simulator.clearFaults()
  // Each test has a cluster of its own, and WeChat an hour to forget the last.
  await simulator.expireTokens()
  await simulator.advance(3_600_000)
})

const cluster = (size: number, options: Parameters<typeof startNode>[2] = {}): Promise<Node[]> => {
  const prefix = freshPrefix()
  return Promise.all(Array.from({ length: size }, () => startNode(server, simulator, { prefix, ...options })))
}
const fetches = async () => (await simulator.counters()).calls[tokenPath] ?? 0
const forced = async () => (await simulator.counters()).tokens.forced
const draw = (...nodes: (Node | undefined)[]) => Promise.all(nodes.map((node) => node?.wechat.codeImage(scene)))
const drawn = expect.objectContaining({ ok: true })

test('two cold nodes with fifty requests at once fetch one token', async () => {
  const before = await fetches()
  const [one, two] = await cluster(2)
  const answers = await draw(...Array.from({ length: 50 }, (_, i) => (i % 2 ? one : two)))
  expect(answers).toEqual(Array(50).fill(drawn))
  expect(await fetches()).toBe(before + 1)
})

test('ten cold nodes fetch one token, even if WeChat is slow', async () => {
  const before = await fetches()
  await simulator.fault({ path: tokenPath, kind: 'slow', ms: 400 })
  expect(await draw(...(await cluster(10)))).toEqual(Array(10).fill(drawn))
  expect(await fetches()).toBe(before + 1)
})

test('the token in Redis is encrypted and lives as long as at WeChat', async () => {
  const [node] = await cluster(1)
  await draw(node)
  const key = node?.redis.keys.wechatToken(simulator.env.WECHAT_APPID) ?? ''
  expect(await node?.redis.data.get(key)).toMatch(/^[\w.-]{150,}$/)
  expect(await node?.redis.data.get(key)).not.toMatch(/^\d+_/)
  const leftMs = (await node?.redis.data.pttl(key)) ?? 0
  expect(leftMs).toBeGreaterThan(7_100_000)
  expect(leftMs).toBeLessThanOrEqual(7_200_000)
})

test('a token that expired at WeChat is renewed once for all, and every call succeeds', async () => {
  const [one, two] = await cluster(2)
  await draw(one, two)
  await simulator.expireTokens()
  const before = await fetches()
  expect(await draw(...Array.from({ length: 20 }, (_, i) => (i % 2 ? one : two)))).toEqual(Array(20).fill(drawn))
  expect(await fetches()).toBe(before + 1)
})

test('a token replaced by another system is adopted, and nothing is forced', async () => {
  const [one, two] = await cluster(2)
  await draw(one, two)
  await simulator.forceFromElsewhere()
  const before = await forced()
  expect(await draw(one, two, one, two)).toEqual(Array(4).fill(drawn))
  expect(await forced()).toBe(before)
})

test('a node that missed a refresh takes the shared token without asking WeChat', async () => {
  const [one, two] = await cluster(2)
  await draw(one, two)
  await simulator.expireTokens()
  await draw(one)
  const before = await fetches()
  expect(await draw(two)).toEqual([drawn])
  expect(await fetches()).toBe(before)
})

test('a dead token that WeChat still gives out is renewed by force once', async () => {
  const [one, two] = await cluster(2)
  await draw(one, two)
  await simulator.refuseTokens()
  const before = await forced()
  expect(await draw(...Array.from({ length: 20 }, (_, i) => (i % 2 ? one : two)))).toEqual(Array(20).fill(drawn))
  expect(await forced()).toBe(before + 1)
})

test('a failed forced refresh does not bring the dead token back into use', async () => {
  const [node] = await cluster(1)
  await draw(node)
  await simulator.refuseTokens()
  // The first call is the normal one, which tells nothing new; the second is the forced one.
  await simulator.fault({ path: tokenPath, kind: 'slow', ms: 0, times: 1 })
  await simulator.fault({ path: tokenPath, kind: 'cut', times: 1 })
  expect(await draw(node)).toEqual([drawn])
})

test('a second force within thirty seconds is not tried: the call is unavailable', async () => {
  const [one, two] = await cluster(2)
  await draw(one, two)
  await simulator.refuseTokens()
  await draw(one, two)
  await simulator.refuseTokens()
  const before = await forced()
  for (const answer of await draw(one, two))
    expect(answer).toMatchObject({ ok: false, kind: 'unavailable', errcode: 40001 })
  expect(await forced()).toBe(before)
})

test('at most twenty forced refreshes happen in a day', async () => {
  const [node] = await cluster(1)
  await draw(node)
  await simulator.refuseTokens()
  const key = node?.redis.keys.wechatForced(simulator.env.WECHAT_APPID) ?? ''
  const now = Date.now()
  const past = Array.from({ length: 20 }, (_, i) => now - (i + 1) * 3_600_000)
  await node?.redis.data.zadd(key, ...past.flatMap((at) => [at, at]))
  const before = await forced()
  expect(await draw(node)).toEqual([expect.objectContaining({ kind: 'unavailable' })])
  expect(await forced()).toBe(before)
  // The oldest of them leaves the day.
  await node?.redis.data.zremrangebyrank(key, 0, 0)
  expect(await draw(node)).toEqual([drawn])
  expect(await forced()).toBe(before + 1)
})

test('near its end the token still serves while one node fetches the next', async () => {
  const [one, two, three] = await cluster(3)
  await draw(one)
  // WeChat says 300 s: the last moment at which it gives the same token.
  await simulator.advance(6_900_000)
  const key = one?.redis.keys.wechatToken(simulator.env.WECHAT_APPID) ?? ''
  await one?.redis.data.pexpire(key, 300_000)
  await simulator.advance(1_000)
  const before = await fetches()
  const refreshed = two?.next('token-fetched')
  expect(await draw(two)).toEqual([drawn])
  expect(await refreshed).toMatchObject({ forced: false })
  expect(await draw(three, two)).toEqual([drawn, drawn])
  expect(await fetches()).toBe(before + 1)
})

test('if the fetching node is killed, another takes over when its lock has expired', async () => {
  const prefix = freshPrefix()
  await simulator.fault({ path: tokenPath, kind: 'slow', ms: 600_000, times: 1 })
  const before = await fetches()
  const lone = await startProcess({
    name: 'lone node',
    command: process.execPath,
    args: [fileURLToPath(new URL('./lone-node.ts', import.meta.url))],
    env: { ...plainEnv(), ...simulator.env, REDIS_URL: server.url, PREFIX: prefix },
  })
  while ((await fetches()) === before) {
    // It is on its way to WeChat.
  }
  await lone.kill('SIGKILL')
  const survivors = await Promise.all([1, 2].map(() => startNode(server, simulator, { prefix })))
  expect(await draw(...survivors)).toEqual([drawn, drawn])
  expect(await fetches()).toBe(before + 2)
})

test('a node with another secret neither uses nor spoils the shared token', async () => {
  const prefix = freshPrefix()
  const good = await startNode(server, simulator, { prefix })
  await draw(good)
  const bad = await startNode(server, simulator, { prefix, secret: 'wrong' })
  expect(await draw(bad)).toEqual([expect.objectContaining({ ok: false, kind: 'misconfigured', errcode: 40125 })])
  const before = await fetches()
  expect(await draw(await startNode(server, simulator, { prefix }))).toEqual([drawn])
  expect(await fetches()).toBe(before)
})

test('wrong credentials are not tried for every request', async () => {
  const [node] = await cluster(1, { secret: 'wrong' })
  const before = await fetches()
  for (const _ of [1, 2, 3]) expect(await draw(node)).toEqual([expect.objectContaining({ kind: 'misconfigured' })])
  expect(await fetches()).toBe(before + 1)
})
