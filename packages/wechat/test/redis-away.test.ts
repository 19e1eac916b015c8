import type { RedisServer } from '@saoma/testing'
import { freshPrefix, scene, startNode, startRedis, startWechat, tokenPath } from './nodes.ts'

let server: RedisServer
let simulator: Awaited<ReturnType<typeof startWechat>>

beforeAll(async () => {
  simulator = await startWechat()
})
beforeEach(async () => {
  server = await startRedis()
  // No test starts with a token that an earlier one spoilt.
  await simulator.expireTokens()
})

const fetches = async () => (await simulator.counters()).calls[tokenPath] ?? 0

test('without Redis a cold node fetches for itself, once for all simultaneous callers', async () => {
  const node = await startNode(server, simulator, { prefix: freshPrefix() })
  await server.kill()
  const before = await fetches()
  // Links, because the simulator draws a picture for each code.
  const link = () => node.wechat.link(scene, { kind: 'link', seconds: 180 })
  const answers = await Promise.all([node.wechat.codeImage(scene), ...Array.from({ length: 19 }, link)])
  expect(answers.filter(({ ok }) => !ok)).toEqual([])
  expect(await fetches()).toBe(before + 1)
  expect(node.events).toContainEqual({ kind: 'redis-away' })
})

test('without Redis an expired token is replaced, but nothing is forced', async () => {
  const node = await startNode(server, simulator, { prefix: freshPrefix() })
  await node.wechat.codeImage(scene)
  await server.kill()
  await simulator.expireTokens()
  expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: true })
  await simulator.refuseTokens()
  const { forced } = (await simulator.counters()).tokens
  expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: false, kind: 'unavailable', errcode: 40001 })
  expect((await simulator.counters()).tokens.forced).toBe(forced)
})

test('a session needs no Redis', async () => {
  const node = await startNode(server, simulator, { prefix: freshPrefix() })
  await server.kill()
  expect(await node.wechat.session(await simulator.login('alice'))).toMatchObject({ ok: true })
})

test('a Redis that hangs delays a cold node by seconds only', async () => {
  const node = await startNode(server, simulator, { prefix: freshPrefix() })
  await server.kill('SIGSTOP')
  expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: true })
  await server.kill('SIGCONT')
})
