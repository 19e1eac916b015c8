import { type Started, start } from './start.ts'

const paths = { link: '/wxa/generate_urllink', scheme: '/wxa/generatescheme' }
const page = 'pages/login/index'

let simulator: Started
let access_token: string
let soon: number

beforeAll(async () => {
  simulator = await start()
  access_token = (await simulator.stableToken()).access_token
  soon = simulator.state.clock.now() / 1000 + 120
})

const place = { path: page, query: 'scene=abc' }
const inMinutes = (minutes: number) => ({ is_expire: true, expire_type: 0, expire_time: soon - 120 + minutes * 60 })
const ask = (kind: keyof typeof paths, body: unknown, token = access_token) =>
  simulator.json(paths[kind], { query: { access_token: token }, body })
/** The body of a kind, with where it leads in its place. */
const bodyOf = (kind: keyof typeof paths, target: object, rest: object) =>
  kind === 'link' ? { ...target, ...rest } : { jump_wxa: target, ...rest }

describe.each(['link', 'scheme'] as const)('a %s', (kind) => {
  const name = kind === 'link' ? 'url_link' : 'openlink'

  test('is made for a released page, with or without a leading slash, or the home page', async () => {
    for (const path of [page, `/${page}`, '', undefined]) {
      const made = await ask(kind, bodyOf(kind, { ...place, path }, inMinutes(2)))
      expect(made).toEqual({ errcode: 0, errmsg: 'ok', [name]: expect.stringMatching(/^(https|weixin):\/\//) })
      const opened = await simulator.json('/simulator/links/open', { body: { url: made[name] } })
      expect(opened).toEqual({ path: page, query: { scene: 'abc' }, scene: kind === 'link' ? 1194 : 1065 })
    }
  })

  test.each<[string, number, object, object | (() => object)]>([
    ['a page that is not published', 40165, { path: 'pages/other' }, {}],
    ['a page with a query', 40165, { path: `${page}?a=1` }, {}],
    ['a query of 1,025 characters', 40212, { query: 'a'.repeat(1_025) }, {}],
    ['a query with a space', 40212, { query: 'a b' }, {}],
    ['another version', 40097, { env_version: 'beta' }, {}],
    ['a life of one minute', 85401, {}, () => inMinutes(1)],
    ['no time though it is to expire', 85401, {}, { expire_time: undefined }],
    ['31 days', 85401, {}, { expire_type: 1, expire_interval: 31 }],
    ['no number of days', 85401, {}, { expire_type: 1 }],
    ['a time in words', 47001, {}, { expire_time: 'tomorrow' }],
    ['a third type', 47001, {}, { expire_type: 2 }],
  ])('%s is refused with %d', async (_, errcode, target, rest) => {
    const expiry = { ...inMinutes(2), ...(typeof rest === 'function' ? rest() : rest) }
    expect((await ask(kind, bodyOf(kind, { ...place, ...target }, expiry))).errcode).toBe(errcode)
  })

  test('needs POST, a token and a body', async () => {
    expect((await simulator.json(paths[kind], { query: { access_token } })).errcode).toBe(43002)
    expect((await ask(kind, place, '')).errcode).toBe(41001)
    expect((await ask(kind, '')).errcode).toBe(44002)
    expect((await ask(kind, 'path=a')).errcode).toBe(47001)
  })
})

test('both kinds share one quota per second and per day', async () => {
  const own = await start({ limits: { linksPerSecond: 2, linksPerDay: 3 } })
  const query = { access_token: (await own.stableToken()).access_token }
  const make = async (kind: keyof typeof paths) => (await own.json(paths[kind], { query, body: {} })).errcode
  expect([await make('link'), await make('scheme'), await make('link')]).toEqual([0, 0, 44990])
  own.state.clock.advance(1_000)
  expect([await make('link'), await make('scheme')]).toEqual([0, 45009])
  expect((await own.json('/simulator/counters')).links).toBe(3)
})

test('a link to a missing release is refused', async () => {
  const own = await start({ pages: [] })
  const query = { access_token: (await own.stableToken()).access_token }
  expect((await own.json(paths.link, { query, body: place })).errcode).toBe(85079)
})
