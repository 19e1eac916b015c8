import type { RedisServer } from '@saoma/testing'
import { freshPrefix, type Node, scene, startNode, startRedis, startWechat } from './nodes.ts'

const linkPath = '/wxa/generate_urllink'
const schemePath = '/wxa/generatescheme'
const seconds = 180

let server: RedisServer
let simulator: Awaited<ReturnType<typeof startWechat>>
let node: Node

beforeAll(async () => {
  ;[server, simulator] = await Promise.all([startRedis(), startWechat()])
  node = await startNode(server, simulator)
})
beforeEach(() => simulator.clearFaults())

/** What WeChat opens when a person taps it. */
const tap = async (url: string, inWechat = false) => {
  const answer = await fetch(`${simulator.origin}/simulator/links/open`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url, inWechat }),
  })
  return answer.ok ? await answer.json() : answer.status
}

const made = async (options: Parameters<Node['wechat']['link']>[1]) => {
  const answer = await node.wechat.link(scene, options)
  if (!answer.ok) throw new Error(answer.message)
  return answer.url
}

test('both kinds open the page of a code with its scene', async () => {
  const opened = { path: 'pages/login/index', query: { scene } }
  const link = await made({ kind: 'link', seconds })
  expect(link).toMatch(/^https:\/\//)
  expect(await tap(link)).toEqual({ ...opened, scene: 1194 })
  expect(await tap(link, true)).toEqual({ ...opened, scene: 1167 })
  const scheme = await made({ kind: 'scheme', seconds })
  expect(scheme).toMatch(/^weixin:\/\//)
  expect(await tap(scheme)).toEqual({ ...opened, scene: 1065 })
})

test('a link works for the requested time and then ends', async () => {
  const own = await startWechat()
  const cold = await startNode(server, own, { prefix: freshPrefix() })
  const open = async (url: string) => {
    const body = JSON.stringify({ url })
    const headers = { 'content-type': 'application/json' }
    return (await fetch(`${own.origin}/simulator/links/open`, { method: 'POST', headers, body })).status
  }
  const [link, other] = await Promise.all([
    cold.wechat.link(scene, { kind: 'link', seconds }),
    cold.wechat.link(scene, { kind: 'scheme', seconds: 3_600 }),
  ])
  if (!link.ok || !other.ok) throw new Error('no link')
  await own.advance((seconds - 30) * 1000)
  expect(await open(link.url)).toBe(200)
  await own.advance(30_000)
  expect([await open(link.url), await open(other.url), await open('https://wxaurl.cn/never')]).toEqual([410, 200, 404])
})

test('an invalid lifetime or scene is refused without a call', async () => {
  const before = (await simulator.counters()).calls
  for (const life of [60, 0, -1, 90.5, Number.NaN, 30 * 86_400 + 1])
    expect(await node.wechat.link(scene, { kind: 'link', seconds: life })).toMatchObject({ kind: 'misconfigured' })
  for (const wrong of ['', 'a'.repeat(33), 'a b', '二维码'])
    expect(await node.wechat.link(wrong, { kind: 'link', seconds })).toMatchObject({ kind: 'misconfigured' })
  expect((await simulator.counters()).calls).toEqual(before)
})

test('the access token of codes serves links too and is renewed for them', async () => {
  await node.wechat.codeImage(scene)
  const { tokens } = await simulator.counters()
  await made({ kind: 'link', seconds })
  expect((await simulator.counters()).tokens).toEqual(tokens)
  await simulator.refuseTokens()
  await Promise.all([made({ kind: 'link', seconds }), made({ kind: 'scheme', seconds })])
  expect((await simulator.counters()).tokens.forced).toBe(tokens.forced + 1)
})

test.each([
  ['unavailable', 45009],
  ['unavailable', 44990],
  ['misconfigured', 40165],
  ['misconfigured', 85079],
  ['misconfigured', 85401],
  ['misconfigured', 40002],
])('%s: errcode %d', async (kind, errcode) => {
  for (const path of [linkPath, schemePath]) await simulator.fault({ path, kind: 'errcode', errcode })
  for (const way of ['link', 'scheme'] as const)
    expect(await node.wechat.link(scene, { kind: way, seconds })).toMatchObject({ ok: false, kind, errcode })
})

test('a temporary failure is tried again: busy, too fast, a cut connection', async () => {
  for (const errcode of [-1, 44990]) await simulator.fault({ path: linkPath, kind: 'errcode', errcode, times: 1 })
  expect(await made({ kind: 'link', seconds })).toMatch(/^https:\/\//)
  await simulator.fault({ path: schemePath, kind: 'cut', times: 1 })
  expect(await made({ kind: 'scheme', seconds })).toMatch(/^weixin:\/\//)
})

test('a page of HTML is not a link', async () => {
  await simulator.fault({ path: linkPath, kind: 'garbage' })
  expect(await node.wechat.link(scene, { kind: 'link', seconds })).toMatchObject({ ok: false, kind: 'unavailable' })
})
