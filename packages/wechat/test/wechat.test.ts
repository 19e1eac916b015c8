import { freePort, type RedisServer } from '@saoma/testing'
import { createWechat } from '../src/index.ts'
import {
  codePath,
  freshPrefix,
  type Node,
  page,
  scene,
  sessionPath,
  startNode,
  startRedis,
  startWechat,
  tokenPath,
} from './nodes.ts'

let server: RedisServer
let simulator: Awaited<ReturnType<typeof startWechat>>
let node: Node

beforeAll(async () => {
  ;[server, simulator] = await Promise.all([startRedis(), startWechat()])
  node = await startNode(server, simulator)
})
beforeEach(() => simulator.clearFaults())

const calls = async (path: string) => (await simulator.counters()).calls[path] ?? 0

describe('a code image', () => {
  test('is a picture of the scene and the page', async () => {
    const drawn = await node.wechat.codeImage(scene)
    if (!drawn.ok) throw new Error(drawn.message)
    expect(drawn.image.type).toBe('image/jpeg')
    expect(drawn.image.bytes.subarray(0, 3).toString('hex')).toBe('ffd8ff')
    expect((await simulator.drawn()).at(-1)).toEqual({ page, scene, env_version: 'release' })
  })

  test('may be of a page and a version that are not yet released', async () => {
    const draft = { page: 'pages/draft/index', envVersion: 'develop' } as const
    const developer = await startNode(server, simulator, draft)
    expect(await developer.wechat.codeImage(scene)).toMatchObject({ ok: true })
    expect((await simulator.drawn()).at(-1)).toEqual({ page: draft.page, scene, env_version: 'develop' })
  })

  test.each(['', 'a'.repeat(33), 'a b', '100%', '登录', 'a\n'])('is not requested with the scene %j', async (bad) => {
    const before = await calls(codePath)
    expect(await node.wechat.codeImage(bad)).toMatchObject({ ok: false, kind: 'misconfigured' })
    expect(await calls(codePath)).toBe(before)
  })

  test('of a page outside the release is our mistake', async () => {
    const wrong = await startNode(server, simulator, { page: 'pages/none/index' })
    expect(await wrong.wechat.codeImage(scene)).toEqual({
      ok: false,
      kind: 'misconfigured',
      errcode: 41030,
      message: expect.stringMatching(/^the page is not in the published release: .* \(41030, rid [0-9a-f-]{26}\)$/),
    })
  })

  test('beyond the quota is unavailable, at once', async () => {
    await simulator.fault({ path: codePath, kind: 'errcode', errcode: 45009 })
    const before = await calls(codePath)
    expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: false, kind: 'unavailable', errcode: 45009 })
    expect(await calls(codePath)).toBe(before + 1)
  })

  test.each([
    ['a busy WeChat', { kind: 'errcode', errcode: -1 }],
    ['a cut connection', { kind: 'down' }],
    ['an HTML page', { kind: 'garbage' }],
    ['a bad gateway', { kind: 'garbage', status: 502 }],
  ])('is tried again after %s', async (_, fault) => {
    await simulator.fault({ path: codePath, ...fault, times: 2 })
    expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: true })
  })

  test.each([
    ['a busy WeChat', { kind: 'errcode', errcode: -1 }],
    ['a cut connection', { kind: 'down' }],
    ['an HTML page', { kind: 'garbage' }],
    ['a bad gateway', { kind: 'garbage', status: 502 }],
  ])('is given up after three tries with %s and drawn again afterwards', async (_, fault) => {
    await simulator.fault({ path: codePath, ...fault })
    const before = await calls(codePath)
    expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: false, kind: 'unavailable' })
    expect(await calls(codePath)).toBe(before + 3)
    await simulator.clearFaults()
    expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: true })
  })

  test('is not requested from the target of a redirect, which would get the token', async () => {
    await simulator.fault({ path: codePath, kind: 'garbage', status: 302 })
    const before = await calls(codePath)
    expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: false, kind: 'unavailable' })
    expect(await calls(codePath)).toBe(before + 1)
  })
})

describe('time', () => {
  test('a slow WeChat costs three short tries', async () => {
    const hasty = await startNode(server, simulator, { timeoutMs: 1_000 })
    await simulator.fault({ path: codePath, kind: 'slow', ms: 600_000 })
    const before = await calls(codePath)
    expect(await hasty.wechat.codeImage(scene)).toMatchObject({ ok: false, kind: 'unavailable' })
    expect(await calls(codePath)).toBe(before + 3)
  })

  // The patience of each try does not matter.
  test('a call ends after eight seconds, whatever is slow', async () => {
    const cold = await startNode(server, simulator, { prefix: freshPrefix(), timeoutMs: 600_000 })
    await simulator.fault({ kind: 'slow', ms: 600_000 })
    const [image, session] = await Promise.all([cold.wechat.codeImage(scene), cold.wechat.session('a-code')])
    expect(image).toMatchObject({ ok: false, kind: 'unavailable' })
    expect(session).toMatchObject({ ok: false, kind: 'unavailable' })
  })

  test('close ends calls under way and later ones', async () => {
    const closing = await startNode(server, simulator, { prefix: freshPrefix() })
    await simulator.fault({ kind: 'slow', ms: 600_000 })
    const before = await calls(tokenPath)
    const pending = closing.wechat.codeImage(scene)
    while ((await calls(tokenPath)) === before) {
      // The call is on its way.
    }
    closing.wechat.close()
    expect(await pending).toMatchObject({ ok: false, kind: 'unavailable' })
    expect(await closing.wechat.session('a-code')).toMatchObject({ ok: false, kind: 'unavailable' })
  })
})

describe('a phone number', () => {
  const path = '/wxa/business/getuserphonenumber'

  test('has the code of its country in front, and each code works once', async () => {
    const code = await simulator.phoneCode('13800138000')
    expect(await node.wechat.phoneNumber(code)).toEqual({ ok: true, phoneNumber: '+8613800138000' })
    expect(await node.wechat.phoneNumber(code)).toMatchObject({ ok: false, kind: 'rejected', errcode: 40029 })
    expect(await node.wechat.phoneNumber('no code')).toMatchObject({ kind: 'rejected' })
  })

  test('is not asked for twice if WeChat may have used up the code', async () => {
    await simulator.fault({ kind: 'cut', path, times: 1 })
    const before = await calls(path)
    const code = await simulator.phoneCode('13800138000')
    expect(await node.wechat.phoneNumber(code)).toMatchObject({ ok: false, kind: 'unavailable' })
    expect(await calls(path)).toBe(before + 1)
  })

  test('is not said to be rejected if WeChat has used up the code while it said "busy"', async () => {
    const code = await simulator.phoneCode('13800138000')
    expect(await node.wechat.phoneNumber(code)).toMatchObject({ ok: true })
    await simulator.fault({ kind: 'errcode', errcode: -1, path, times: 1 })
    expect(await node.wechat.phoneNumber(code)).toMatchObject({ ok: false, kind: 'unavailable', errcode: 40029 })
  })
})

describe('a session', () => {
  test('gives the person and nothing else', async () => {
    const [first, second] = [await simulator.login('alice'), await simulator.login('alice')]
    const session = await node.wechat.session(first)
    expect(session).toEqual({ ok: true, openid: expect.stringMatching(/^o[\w-]{27}$/) })
    expect(await node.wechat.session(second)).toEqual(session)
  })

  test('cannot be opened twice with one code', async () => {
    const code = await simulator.login('alice')
    const answers = await Promise.all(Array.from({ length: 20 }, () => node.wechat.session(code)))
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    expect(
      answers.filter((answer) => !answer.ok && answer.kind === 'rejected' && answer.errcode === 40163),
    ).toHaveLength(19)
  })

  test('is rejected for an old or invented code and for a blocked person', async () => {
    const old = await simulator.login('alice')
    await simulator.advance(300_000)
    expect(await node.wechat.session(old)).toMatchObject({ kind: 'rejected', errcode: 40029 })
    expect(await node.wechat.session('invented')).toMatchObject({ kind: 'rejected', errcode: 40029 })
    expect(await node.wechat.session(await simulator.login('mallory', true))).toMatchObject({
      kind: 'rejected',
      errcode: 40226,
    })
  })

  test.each(['', 'a b', '登录', 'a'.repeat(257)])('is not requested with the code %j', async (bad) => {
    const before = await calls(sessionPath)
    expect(await node.wechat.session(bad)).toMatchObject({ ok: false, kind: 'rejected' })
    expect(await calls(sessionPath)).toBe(before)
  })

  test('needs the right secret', async () => {
    const wrong = await startNode(server, simulator, { secret: 'wrong' })
    expect(await wrong.wechat.session(await simulator.login('alice'))).toMatchObject({
      kind: 'misconfigured',
      errcode: 40125,
    })
  })

  test('is tried again when WeChat is busy', async () => {
    await simulator.fault({ path: sessionPath, kind: 'errcode', errcode: -1, times: 2 })
    expect(await node.wechat.session(await simulator.login('alice'))).toMatchObject({ ok: true })
  })

  test.each([
    ['a silence', { kind: 'slow', ms: 600_000 }],
    ['a cut connection', { kind: 'cut' }],
    ['a bad gateway', { kind: 'garbage', status: 502 }],
    ['an HTML page', { kind: 'garbage' }],
  ])('is not tried again after %s: the code may be used up', async (_, fault) => {
    const hasty = await startNode(server, simulator, { timeoutMs: 1_000 })
    await simulator.fault({ path: sessionPath, ...fault })
    const before = await calls(sessionPath)
    expect(await hasty.wechat.session(await simulator.login('alice'))).toMatchObject({ ok: false, kind: 'unavailable' })
    expect(await calls(sessionPath)).toBe(before + 1)
  })

  // The person did nothing wrong.
  test('is unavailable if WeChat used its code up while busy', async () => {
    await simulator.fault({ path: sessionPath, kind: 'errcode', errcode: -1, times: 1 })
    await simulator.fault({ path: sessionPath, kind: 'errcode', errcode: 40163, times: 1 })
    expect(await node.wechat.session(await simulator.login('alice'))).toMatchObject({
      kind: 'unavailable',
      errcode: 40163,
    })
  })
})

// WeChat never got the code.
test('an unreachable WeChat is tried three times, even with a login code', async () => {
  const nobody = await startNode(server, simulator, { api: `http://127.0.0.1:${await freePort()}` })
  expect(await nobody.wechat.session('a-code')).toMatchObject({ kind: 'unavailable' })
  const refused = { kind: 'unreachable', api: 'session', reason: 'ECONNREFUSED', ms: expect.any(Number) }
  expect(nobody.events).toEqual([refused, refused, refused])
})

test('events and failures contain no secret', async () => {
  const own = await startNode(server, simulator, { prefix: freshPrefix() })
  const code = await simulator.login('alice')
  const answers: unknown[] = [await own.wechat.codeImage(scene)]
  const session = await own.wechat.session(code)
  await simulator.expireTokens()
  await simulator.fault({ path: codePath, kind: 'down', times: 1 })
  await own.wechat.codeImage(scene)
  for (const kind of ['down', 'garbage', 'slow']) {
    await simulator.clearFaults()
    await simulator.fault({ kind, ms: 600_000 })
    const hasty = await startNode(server, simulator, { prefix: freshPrefix(), timeoutMs: 50 })
    answers.push(await hasty.wechat.codeImage(scene), await hasty.wechat.session(code), hasty.events)
  }
  const told = JSON.stringify([own.events, answers.slice(1)])
  const openid = session.ok ? session.openid : ''
  for (const secret of [simulator.env.WECHAT_SECRET, code, openid]) expect(told).not.toContain(secret)
  expect(told).not.toMatch(/[\w-]{64}/)
})

test.each([
  ['an address that is none', { api: 'api.weixin.qq.com' }],
  ['a page with a leading slash', { page: '/pages/login/index' }],
  ['a page with a query', { page: 'pages/login/index?a=1' }],
])('%s is refused at the start', (_, wrong) => {
  const right = { appid: 'wx1', secret: 's', api: 'http://127.0.0.1:1', page }
  expect(() => createWechat(node.redis, { ...right, ...wrong })).toThrow(TypeError)
})
