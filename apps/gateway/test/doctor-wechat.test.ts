import { freePort, type Simulator, startSimulator } from '@saoma/testing'
import { diagnose, SETTINGS } from './diagnosis.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})

const look = (env: Record<string, string> = {}) =>
  diagnose(['--json', '--only', 'wechat'], { ...SETTINGS, ...simulator.env, ...env })
const control = async (path: string, body?: object): Promise<unknown> => {
  const answer = await fetch(`${simulator.origin}/simulator/${path}`, {
    ...(body ? { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
  })
  return answer.json()
}
const counters = () => control('counters') as Promise<{ codes: number; links: number; tokens: object }>

test('without credentials WeChat is not asked', async () => {
  const { code, of } = await diagnose(['--json', '--only', 'wechat'], SETTINGS)
  expect(code).toBe(0)
  expect(of('wechat-credentials')).toEqual(['skipped: WeChat was not asked: there are no credentials.'])
})

test('credentials, page and quota are good, and it costs one code and no token', async () => {
  await look()
  const before = await counters()
  const { code, findings, of, stdout } = await look()
  expect(code).toBe(0)
  expect(findings.map(({ level }) => level)).toEqual(['ok', 'ok', 'ok', 'ok'])
  expect(of('wechat-credentials')).toEqual([
    `ok: WeChat takes the credentials of wx0000000000000001 (${new URL(simulator.origin).host}).`,
  ])
  expect(of('wechat-page')).toEqual(['ok: WeChat draws codes for the page pages/login/index of the published release.'])
  expect(of('wechat-quota')).toEqual([
    'ok: WeChat names no limit of a day for codes, at most 5000 in 60 s.',
    'ok: 500000 of 500000 calls for links into WeChat are left today, at most 100 in 1 s.',
  ])
  // The nodes go on with the token that they have.
  expect(await counters()).toMatchObject({ codes: before.codes + 1, links: 0, tokens: { stable: 1, forced: 0 } })
  expect(stdout).not.toContain(simulator.env.WECHAT_SECRET)
})

test.each<[what: string, env: Record<string, string>, code: string, says: RegExp]>([
  [
    'a wrong secret',
    { WECHAT_SECRET: 'f'.repeat(32) },
    'wechat-credentials',
    /: the app secret is wrong \(40125, rid /,
  ],
  [
    'a wrong app id',
    { WECHAT_APPID: 'wx0000000000000002' },
    'wechat-credentials',
    /: the app id is wrong \(40013, rid /,
  ],
  [
    'a page that is not published',
    { WECHAT_PAGE: 'pages/none' },
    'wechat-page',
    /^WeChat draws no code for the page pages\/none: .+41030/,
  ],
])('%s is an error', async (_, env, expected, says) => {
  const { code, findings } = await look(env)
  expect(code).toBe(1)
  expect(findings.filter(({ level }) => level === 'error')).toEqual([
    expect.objectContaining({ code: expected, says: expect.stringMatching(says) }),
  ])
})

test('an address that WeChat does not admit is an error', async () => {
  await control('faults', { kind: 'errcode', errcode: 40164, path: '/cgi-bin/stable_token', times: 1 })
  const { code, of } = await look()
  expect(code).toBe(1)
  expect(of('wechat-credentials')).toEqual([expect.stringMatching(/^error: .+ is not on the IP whitelist of the app/)])
})

test('a WeChat that does not answer is a warning', async () => {
  const { code, of } = await look({ WECHAT_API: `http://127.0.0.1:${await freePort()}` })
  expect(code).toBe(0)
  expect(of('wechat-credentials')).toEqual([
    expect.stringMatching(
      /^warning: WeChat gives wx0000000000000001 no access token: WeChat does not answer \(ECONNREF/,
    ),
  ])
})

test('another version than the release is a warning, and its page is not asked for', async () => {
  const before = await counters()
  const { code, of } = await look({ WECHAT_ENV_VERSION: 'trial', WECHAT_LINK: 'none' })
  expect(code).toBe(0)
  expect(of('wechat-version')).toEqual([expect.stringMatching(/^warning: Codes open the trial version/)])
  expect(of('wechat-page')).toEqual([
    expect.stringMatching(/^skipped: Whether pages\/login\/index exists was not asked/),
  ])
  expect(of('wechat-quota')).toHaveLength(1)
  expect(await counters()).toEqual(expect.objectContaining({ codes: before.codes }))
})

test('a quota that is nearly or quite used up, and one that WeChat does not tell', async () => {
  const ofLinks = async () => (await look()).of('wechat-quota')[1]
  await control('quotas/use', { quota: 'linksOfDay', calls: 480_000 })
  expect(await ofLinks()).toMatch(/^warning: 20000 of 500000 calls for links into WeChat are left today/)
  await control('quotas/use', { quota: 'linksOfDay', calls: 20_000 })
  expect(await ofLinks()).toMatch(/^error: 0 of 500000 calls .+: WeChat refuses until midnight in China\.$/)
  await control('faults', { kind: 'errcode', errcode: 76022, path: '/cgi-bin/openapi/quota/get', times: 2 })
  const { code, of } = await look()
  expect(code).toBe(0)
  expect(of('wechat-quota')).toEqual(
    ['codes', 'links into WeChat'].map((what) =>
      expect.stringMatching(`^skipped: WeChat does not say how many ${what} are left today: the app may not ask`),
    ),
  )
})
