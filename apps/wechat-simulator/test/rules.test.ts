import { appid, type Started, secret, start } from './start.ts'

type Case = [rule: string, errcode: number, request: Parameters<Started['call']>[1]]

let simulator: Started
let access_token: string

beforeAll(async () => {
  simulator = await start()
  access_token = (await simulator.stableToken()).access_token
})

const errcode = async (...args: Parameters<Started['call']>) => (await simulator.json(...args)).errcode

const credential = { grant_type: 'client_credential', appid, secret }

describe('GET /cgi-bin/token', () => {
  test.each<Case>([
    ['POST', 43001, { method: 'POST', query: credential, body: {} }],
    ['another grant type', 40002, { query: { ...credential, grant_type: 'password' } }],
    ['no appid', 41002, { query: { ...credential, appid: '' } }],
    ['no secret', 41004, { query: { ...credential, secret: '' } }],
    ['an unknown appid', 40013, { query: { ...credential, appid: 'wx2' } }],
    ['a wrong secret', 40125, { query: { ...credential, secret: 'wrong' } }],
  ])('%s is refused with %d', async (_, code, request) => {
    expect(await errcode('/cgi-bin/token', request)).toBe(code)
  })

  test('success carries no errcode', async () => {
    const answer = await simulator.json('/cgi-bin/token', { query: credential })
    expect(answer).toEqual({ access_token: expect.stringMatching(/^.{100,512}$/), expires_in: 7200 })
  })
})

describe('POST /cgi-bin/stable_token', () => {
  test.each<Case>([
    ['GET', 43002, { query: credential }],
    ['an empty body', 44002, { body: '' }],
    ['a body that is not JSON', 47001, { body: 'appid=1' }],
    ['force_refresh as a string', 47001, { body: { ...credential, force_refresh: 'true' } }],
    ['another grant type', 40002, { body: { ...credential, grant_type: 'authorization_code' } }],
    ['no appid', 41002, { body: { ...credential, appid: undefined } }],
    ['no secret', 41004, { body: { ...credential, secret: undefined } }],
    ['an unknown appid', 40013, { body: { ...credential, appid: 'wx2' } }],
    ['a wrong secret', 40125, { body: { ...credential, secret: 'wrong' } }],
  ])('%s is refused with %d', async (_, code, request) => {
    expect(await errcode('/cgi-bin/stable_token', request)).toBe(code)
  })
})

describe('POST /wxa/getwxacodeunlimit', () => {
  const scene = 'abcdefghijABCDEFGHIJ_-'
  const shade = { r: 0, g: 0, b: 0 }
  test.each<Case>([
    ['no scene', 40169, { body: {} }],
    ['an empty scene', 40169, { body: { scene: '' } }],
    ['a scene of 33 characters', 40169, { body: { scene: 'a'.repeat(33) } }],
    ['a body that is not JSON', 40169, { body: 'scene=a' }],
    ['a JSON list', 40169, { body: [] }],
    ['an empty body', 44002, { body: '' }],
    ['a percent sign in the scene', 40129, { body: { scene: 'a%20b' } }],
    ['a space in the scene', 40129, { body: { scene: 'a b' } }],
    ['Chinese in the scene', 40129, { body: { scene: '登录' } }],
    ['a scene that is a number', 47001, { body: { scene: 1 } }],
    ['check_path as a string', 47001, { body: { scene, check_path: 'false' } }],
    ['is_hyaline as a number', 47001, { body: { scene, is_hyaline: 1 } }],
    ['the token in the body', 47001, { body: { scene, access_token: 'x' } }],
    ['a page with a leading slash', 41030, { body: { scene, page: '/pages/login/index' } }],
    ['a page with a query', 41030, { body: { scene, page: 'pages/login/index?a=1' } }],
    ['a page that is not in the release', 41030, { body: { scene, page: 'pages/secret/index' } }],
    ['scancode_time in the page', 85096, { body: { scene, page: 'pages/login/index?scancode_time=1' } }],
    ['another env_version', 40097, { body: { scene, env_version: 'beta' } }],
    ['a width under 280', 40097, { body: { scene, width: 279 } }],
    ['a width over 1280', 40097, { body: { scene, width: 1281 } }],
    ['a colour beyond 255', 40097, { body: { scene, line_color: { ...shade, r: 256 } } }],
  ])('%s is refused with %d', async (_, code, request) => {
    const answer = await simulator.call('/wxa/getwxacodeunlimit', { query: { access_token }, ...request })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json; encoding=utf-8')
    expect(JSON.parse(await answer.text()).errcode).toBe(code)
  })

  test.each<Case>([
    ['the method comes before the token', 43002, { method: 'GET' }],
    ['a missing token comes before the body', 41001, { body: 'not json' }],
    ['a malformed token too', 40014, { query: { access_token: 'abc' }, body: 'not json' }],
    ['an unknown token too', 40001, { query: { access_token: `1_${'a'.repeat(128)}` }, body: 'not json' }],
  ])('%s (%d)', async (_, code, request) => {
    expect(await errcode('/wxa/getwxacodeunlimit', request)).toBe(code)
  })

  test.each<[string, number, object]>([
    ['types come before the scene', 47001, { scene: '', check_path: 1 }],
    ['the scene comes before the page', 40129, { scene: '%', page: '/' }],
    ['the page comes before the rest', 41030, { scene: 'a', page: '/', width: 1 }],
  ])('%s (%d)', async (_, code, body) => {
    expect(await errcode('/wxa/getwxacodeunlimit', { query: { access_token }, body })).toBe(code)
  })

  test('check_path false allows a limited number of pages that do not exist yet', async () => {
    const small = await start({ limits: { unpublishedPages: 1 } })
    const { access_token } = await small.stableToken()
    const draw = async (page: string) => {
      const body = { scene: 'a', page, check_path: false }
      return (await small.call('/wxa/getwxacodeunlimit', { query: { access_token }, body })).arrayBuffer()
    }
    const isPicture = (bytes: ArrayBuffer) => new Uint8Array(bytes)[0] === 0xff
    expect(isPicture(await draw('pages/new/index'))).toBe(true)
    expect(isPicture(await draw('pages/new/index'))).toBe(true)
    expect(isPicture(await draw('pages/newer/index'))).toBe(false)
    expect(isPicture(await draw('pages/login/index'))).toBe(true)
  })

  test('the minute has a limit, and the next minute begins afresh', async () => {
    const small = await start({ limits: { codesPerMinute: 2 } })
    const { access_token } = await small.stableToken()
    expect(await small.refusalOf(access_token)).toBe(0)
    expect(await small.refusalOf(access_token)).toBe(0)
    expect(await small.refusalOf(access_token)).toBe(45009)
    small.state.clock.advance(60_000)
    expect(await small.refusalOf(access_token)).toBe(0)
  })
})

describe('POST /cgi-bin/openapi/quota/get', () => {
  const path = '/cgi-bin/openapi/quota/get'
  const codes = '/wxa/getwxacodeunlimit'
  test.each<Case>([
    ['GET', 43002, { method: 'GET' }],
    ['an empty body', 44002, { body: '' }],
    ['no path', 47001, { body: {} }],
    ['a path with the host', 76003, { body: { cgi_path: `https://api.weixin.qq.com${codes}` } }],
    ['a path without a slash', 76003, { body: { cgi_path: codes.slice(1) } }],
    ['an unknown path', 76021, { body: { cgi_path: '/wxa/nothing' } }],
    ['a path of sns', 76022, { body: { cgi_path: '/sns/jscode2session' } }],
  ])('%s is refused with %d', async (_, code, request) => {
    expect(await errcode(path, { ...request, query: { access_token } })).toBe(code)
  })

  test('a wrong token is refused', async () => {
    expect(await errcode(path, { query: {}, body: { cgi_path: codes } })).toBe(41001)
  })

  test('it tells the limit of the day with what was used, and the pace', async () => {
    const ask = (cgi_path: string) => simulator.json(path, { query: { access_token }, body: { cgi_path } })
    expect(await ask(codes)).toEqual({
      errcode: 0,
      errmsg: 'ok',
      quota: { daily_limit: 0, used: 0, remain: 0 },
      rate_limit: { call_count: 5_000, refresh_second: 60 },
      component_rate_limit: { call_count: 0, refresh_second: 0 },
    })
    expect(await simulator.json('/simulator/quotas/use', { body: { quota: 'linksOfDay', calls: 9 } })).toEqual({
      used: true,
    })
    await simulator.json('/wxa/generate_urllink', { query: { access_token }, body: {} })
    expect(await ask('/wxa/generate_urllink')).toMatchObject({
      quota: { daily_limit: 500_000, used: 10, remain: 499_990 },
    })
    const all = { body: { quota: 'linksOfDay', calls: 499_991 } }
    expect(await simulator.json('/simulator/quotas/use', all)).toEqual({ used: false })
  })
})

describe('GET /sns/jscode2session', () => {
  const valid = { appid, secret, js_code: 'x', grant_type: 'authorization_code' }
  test.each<Case>([
    ['POST', 43001, { query: valid, body: {} }],
    ['no appid', 41002, { query: { ...valid, appid: '' } }],
    ['no secret', 41004, { query: { ...valid, secret: '' } }],
    ['no code', 41008, { query: { ...valid, js_code: '' } }],
    ['another grant type', 40002, { query: { ...valid, grant_type: 'x' } }],
    ['an unknown appid', 40013, { query: { ...valid, appid: 'wx2' } }],
    ['a wrong secret', 40125, { query: { ...valid, secret: 'x' } }],
    ['an unknown code', 40029, { query: valid }],
  ])('%s is refused with %d', async (_, code, request) => {
    expect(await errcode('/sns/jscode2session', request)).toBe(code)
  })

  const session = (simulator: Started, js_code: string) =>
    simulator.json('/sns/jscode2session', { query: { ...valid, js_code } })

  test('a code gives the same person the same openid once', async () => {
    const [first, second, other] = ['alice', 'alice', 'bob'].map((person) => simulator.state.logins.login(person))
    const alice = await session(simulator, first ?? '')
    expect(alice).toEqual({ openid: expect.stringMatching(/^o[\w-]{27}$/), session_key: expect.any(String) })
    expect((await session(simulator, first ?? '')).errcode).toBe(40163)
    expect((await session(simulator, second ?? '')).openid).toBe(alice.openid)
    expect((await session(simulator, other ?? '')).openid).not.toBe(alice.openid)
  })

  test('of fifty simultaneous uses of a code one succeeds', async () => {
    const code = simulator.state.logins.login('carol')
    const answers = await Promise.all(Array.from({ length: 50 }, () => session(simulator, code)))
    expect(answers.filter(({ openid }) => openid)).toHaveLength(1)
    expect(answers.filter(({ errcode }) => errcode === 40163)).toHaveLength(49)
  })

  test('a code lives five minutes', async () => {
    const own = await start()
    const [early, late] = [own.state.logins.login('alice'), own.state.logins.login('alice')]
    own.state.clock.advance(299_999)
    expect((await session(own, early)).openid).toBeDefined()
    own.state.clock.advance(1)
    expect((await session(own, late)).errcode).toBe(40029)
  })

  test('a person whom WeChat blocks is refused', async () => {
    expect((await session(simulator, simulator.state.logins.login('mallory', true))).errcode).toBe(40226)
  })

  test('a person is limited to a hundred requests a minute', async () => {
    const own = await start({ limits: { sessionsPerMinute: 1 } })
    expect((await session(own, own.state.logins.login('alice'))).openid).toBeDefined()
    expect((await session(own, own.state.logins.login('alice'))).errcode).toBe(45011)
    expect((await session(own, own.state.logins.login('bob'))).openid).toBeDefined()
  })

  test('an app of an Open Platform account gets a unionid, which its other apps get too', async () => {
    const [one, two] = await Promise.all([
      start({ openPlatform: 'acme' }),
      start({ openPlatform: 'acme', appid: 'wx2' }),
    ])
    const first = await session(one, one.state.logins.login('alice'))
    const second = await two.json('/sns/jscode2session', {
      query: { ...valid, appid: 'wx2', js_code: two.state.logins.login('alice') },
    })
    expect(first.unionid).toBe(second.unionid)
    expect(first.openid).not.toBe(second.openid)
  })
})

test('an unknown path is refused with 40066', async () => {
  expect(await errcode('/wxa/nothing')).toBe(40066)
  expect(await errcode('/')).toBe(40066)
})

test('an error has an id that begins with the time in hexadecimal seconds', async () => {
  const { errmsg } = await simulator.json('/wxa/nothing')
  const [, seconds = ''] = /^invalid url rid: ([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}$/.exec(String(errmsg)) ?? []
  expect(Number.parseInt(seconds, 16)).toBe(Math.floor(simulator.state.clock.now() / 1000))
})
