import { type Cluster, confirm, createTicket, phoneToken, request, scan, startCluster } from '@saoma/testing'
import * as client from 'openid-client'
import {
  createBrowser,
  discover,
  errorIn,
  logIn,
  loginClientAt,
  REDIRECT,
  SECRET,
  scanned,
  testClients,
} from './relying-party.ts'

let cluster: Cluster
let alice: string
let mallory: string
const nodes = () => cluster.nodes.map(({ origin }) => origin)

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: testClients } })
  alice = await phoneToken(cluster.origin, 'alice')
  mallory = await phoneToken(cluster.origin, 'mallory')
})
afterAll(() => cluster.stop())

const verifier = 'v'.repeat(43)
const usual = async () => ({
  client_id: 'wiki',
  response_type: 'code',
  redirect_uri: REDIRECT,
  scope: 'openid profile',
  state: 'state',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
})
const ask = async (more: Record<string, string | undefined> = {}) => {
  const given = Object.entries({ ...(await usual()), ...more }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return `${cluster.origin}/oidc/auth?${new URLSearchParams(given)}`
}
const newBrowser = () => createBrowser(cluster.origin, nodes())

/** A code of Alice's, not used yet. */
const aCode = async (more: Record<string, string> = {}) => {
  const browser = newBrowser()
  const page = await browser.go(await ask(more))
  const answer = await logIn(browser, cluster.origin, page.location, alice)
  return { browser, code: new URL(answer).searchParams.get('code') ?? '' }
}
/** Exchanges a code. `who` is the client that asks. */
const exchange = (code: string, more: Record<string, string> = {}, who = 'wiki') =>
  request<Record<string, string>>(`${cluster.origin}/oidc/token`, {
    form: {
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      client_id: who,
      client_secret: SECRET,
      ...more,
    },
  })

test('the client of an interaction has no address, and gets nothing but an access token', async () => {
  const page = await newBrowser().go(await ask())
  const client_id = loginClientAt(page.location)
  for (const response_type of ['code', 'none', 'id_token'])
    for (const redirect_uri of [REDIRECT, cluster.origin, 'x']) {
      const answer = await newBrowser().go(await ask({ client_id, response_type, redirect_uri }))
      expect([response_type, redirect_uri, answer.status]).toEqual([response_type, redirect_uri, 400])
    }
  const left = `${cluster.origin}/oidc/session/end?${new URLSearchParams({ client_id, post_logout_redirect_uri: REDIRECT })}`
  expect((await newBrowser().go(left)).status).toBe(400)
  const { device_code, ticket } = await createTicket(cluster.origin, { form: { client_id, scope: 'openid' } })
  await scan(cluster.origin, ticket, alice)
  await confirm(cluster.origin, ticket, alice)
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const { body } = await request(`${cluster.origin}/oidc/token`, { form: { grant_type, device_code, client_id } })
  expect(Object.keys(body as object).sort()).toEqual(['access_token', 'expires_in', 'token_type'])
})

test('a code that is used twice takes the tokens of its first use with it', async () => {
  const { code } = await aCode()
  const first = await exchange(code)
  expect(first.status).toBe(200)
  const second = await exchange(code)
  expect([second.status, second.body.error]).toEqual([400, 'invalid_grant'])
  expect((await request(`${cluster.origin}/oidc/me`, { bearer: first.body.access_token ?? '' })).status).toBe(401)
  const refreshed = await request(`${cluster.origin}/oidc/token`, {
    form: {
      grant_type: 'refresh_token',
      refresh_token: first.body.refresh_token ?? '',
      client_id: 'wiki',
      client_secret: SECRET,
    },
  })
  expect(refreshed.status).toBe(400)
})

test('of two uses at the same time one gets tokens at most, and they are dead', async () => {
  const { code } = await aCode()
  const answers = await Promise.all([exchange(code), exchange(code)])
  const won = answers.filter(({ status }) => status === 200)
  expect(won.length).toBeLessThanOrEqual(1)
  for (const { body } of won)
    expect((await request(`${cluster.origin}/oidc/me`, { bearer: body.access_token ?? '' })).status).toBe(401)
})

test.each([
  ['another client', {}, 'guest'],
  ['a wrong secret', { client_secret: 'wrong' }, 'wiki'],
  ['no secret', { client_secret: '' }, 'wiki'],
  [
    'the hash of the secret',
    { client_secret: (JSON.parse(testClients) as { secret_sha256: string }[])[0]?.secret_sha256 ?? '' },
    'wiki',
  ],
  ['no verifier', { code_verifier: '' }, 'wiki'],
  ['a wrong verifier', { code_verifier: 'w'.repeat(43) }, 'wiki'],
  ['another redirect address', { redirect_uri: `${REDIRECT}/` }, 'wiki'],
])('a code is refused with %s', async (_what, more, who) => {
  const { code } = await aCode()
  expect((await exchange(code, more, who)).status).toBeGreaterThanOrEqual(400)
})

test('a public client must use PKCE with S256', async () => {
  const board = { client_id: 'board', redirect_uri: 'https://board.example.com/' }
  const none = await newBrowser().go(
    await ask({ ...board, code_challenge: undefined, code_challenge_method: undefined }),
  )
  expect(errorIn(none.location)).toBe('invalid_request')
  const plain = await newBrowser().go(await ask({ ...board, code_challenge: verifier, code_challenge_method: 'plain' }))
  expect(errorIn(plain.location)).toBe('invalid_request')
})

test.each([
  `${REDIRECT}/`,
  `${REDIRECT}#fragment`,
  `${REDIRECT}?more=1`,
  REDIRECT.replace('https', 'http'),
  'https://wiki.example.com.evil.example/callback',
  'https://wiki.example.com@evil.example/callback',
  'https://wiki.example.com/callback/../other',
  '//evil.example/callback',
  'javascript:alert(1)',
])('nobody is sent to %s', async (redirect_uri) => {
  const { status, location, text } = await newBrowser().go(await ask({ redirect_uri }))
  expect([status, location.startsWith(cluster.origin)]).toEqual([400, true])
  expect(text).not.toContain('evil')
})

test('a network cannot fill Redis with logins that nobody finishes', async () => {
  const small = await startCluster({ nodes: 1, env: { SAOMA_CLIENTS: testClients, SAOMA_LIMIT_CODES: '4' } })
  const go = async (more: Record<string, string> = {}, browser = createBrowser(small.origin)) =>
    browser.go((await ask(more)).replace(cluster.origin, small.origin))
  const inside = createBrowser(small.origin)
  const phone = await phoneToken(small.origin, 'alice')
  await logIn(inside, small.origin, (await go({}, inside)).location, phone)
  // Also what waits for somebody who is logged in counts.
  expect((await go({ prompt: 'consent' }, inside)).location).toContain('/oidc/interaction/')
  for (let i = 0; i < 2; i++) expect((await go()).location).toContain('/oidc/interaction/')
  expect((await go({ prompt: 'consent' }, inside)).status).toBe(429)
  const { status, headers, text } = await go()
  expect(status).toBe(429)
  expect(Number(headers.get('refresh'))).toBeGreaterThanOrEqual(Number(headers.get('retry-after')))
  expect(text).toContain('This page tries again by itself.')
  const board = { client_id: 'board', redirect_uri: 'https://board.example.com/' }
  const pushed = await request(`${small.origin}/oidc/request`, { form: { ...(await usual()), ...board } })
  expect(pushed.status).toBe(429)
  expect((await go({}, inside)).location).toContain('code=')
  // Nothing is kept for these.
  expect(errorIn((await go({ prompt: 'none' })).location)).toBe('login_required')
  await small.stop()
})

test('no page of a login can be framed', async () => {
  const broken = await newBrowser().go(await ask({ client_id: 'nobody' }))
  const page = await newBrowser().go(await ask())
  for (const { headers } of [broken, page]) {
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
  }
})

test('an interaction that somebody else prepared cannot be finished', async () => {
  const attacker = newBrowser()
  const prepared = await attacker.go(await ask())
  const victim = newBrowser()
  // The victim has the address and scans there.
  const token = await scanned(cluster.origin, loginClientAt(prepared.location), alice)
  expect((await victim.post(`${prepared.location}/login`, { bearer: token })).status).toBe(404)
  expect((await victim.go(`${prepared.location}/details`)).status).toBe(404)
})

test('who learns the address of an interaction cannot take its place', async () => {
  const victim = newBrowser()
  const page = await victim.go(await ask())
  const uid = new URL(page.location).pathname.split('/').at(-1) ?? ''
  const thief = newBrowser()
  const forge = (name: string, path: string) =>
    (thief.cookies as Map<string, object>).set(`${name}@${path}`, { value: uid, path, line: '' })
  forge('saoma_interaction', `/oidc/interaction/${uid}`)
  forge('saoma_resume', `/oidc/auth/${uid}`)
  const token = await scanned(cluster.origin, loginClientAt(page.location), alice)
  expect((await thief.go(`${page.location}/details`)).status).toBe(404)
  const done = await victim.post(`${page.location}/login`, { bearer: token })
  const stolen = await thief.go(String(done.body.location))
  expect([stolen.status, stolen.location]).toEqual([400, String(done.body.location)])
  expect((await victim.go(String(done.body.location))).location).toContain('code=')
})

test('a login cannot be put into another browser: its token belongs to one interaction', async () => {
  const victim = newBrowser()
  const page = await victim.go(await ask())
  const own = newBrowser()
  const attackers = await own.go(await ask())
  const token = await scanned(cluster.origin, loginClientAt(attackers.location), mallory)
  expect((await victim.post(`${page.location}/login`, { bearer: token })).status).toBe(401)
  const bare = await scanned(cluster.origin, 'web', mallory)
  expect((await victim.post(`${page.location}/login`, { bearer: bare })).status).toBe(401)
  expect((await victim.post(`${page.location}/login`)).status).toBe(401)
})

test.each([undefined, 'null', 'https://evil.example', 'http://127.0.0.1:1'])(
  'a page of the origin %s finishes nothing',
  async (origin) => {
    const browser = newBrowser()
    const page = await browser.go(await ask())
    const token = await scanned(cluster.origin, loginClientAt(page.location), alice)
    expect((await browser.post(`${page.location}/login`, { bearer: token, origin })).status).toBe(403)
    expect((await browser.post(`${page.location}/abort`, { origin })).status).toBe(403)
  },
)

test('a session that was put into a browser is replaced by the login', async () => {
  const browser = newBrowser()
  const page = await browser.go(await ask())
  const before = browser.cookies.get('saoma_session@/')?.value
  await logIn(browser, cluster.origin, page.location, alice)
  const after = browser.cookies.get('saoma_session@/')?.value
  expect(after).toBeDefined()
  expect(after).not.toBe(before)
  const again = await browser.go(await ask({ prompt: 'login' }))
  await logIn(browser, cluster.origin, again.location, alice)
  expect(browser.cookies.get('saoma_session@/')?.value).not.toBe(after)
})

test('a session’s cookie is signed', async () => {
  const { browser } = await aCode()
  const cookie = browser.cookies.get('saoma_session@/')
  const forged = newBrowser()
  ;(forged.cookies as Map<string, unknown>).set('saoma_session@/', cookie)
  expect((await forged.go(await ask())).location).toContain('/oidc/interaction/')
})

test('with https every cookie is Secure, and that of the session is of this host alone', async () => {
  const origin = 'https://login.example.com'
  const secure = await startCluster({ nodes: 1, origin, env: { SAOMA_CLIENTS: testClients } })
  const [node] = secure.nodes
  if (!node) throw new Error('there is one node')
  const browser = createBrowser(origin, [node.origin])
  const page = await browser.go((await ask()).replace(cluster.origin, origin))
  const phone = await phoneToken(node.origin, 'alice')
  const token = await scanned(node.origin, loginClientAt(page.location), phone)
  const done = await browser.post(`${page.location}/login`, { bearer: token })
  expect((await browser.go(String(done.body.location))).location).toContain('code=')
  const lines = [...browser.cookies.values()].map(({ line }) => line)
  expect(lines.length).toBeGreaterThanOrEqual(3)
  for (const line of lines)
    for (const word of [/; secure/i, /; httponly/i, /; samesite=lax/i]) expect(line).toMatch(word)
  const session = lines.find((line) => line.startsWith('__Host-saoma_session='))
  expect(session).toMatch(/; path=\/;/)
  expect(session).not.toMatch(/domain/i)
  await secure.stop()
})

test('a login client has no other use', async () => {
  const browser = newBrowser()
  const page = await browser.go(await ask())
  const clientId = loginClientAt(page.location)
  const token = await scanned(cluster.origin, clientId, alice)
  expect((await request(`${cluster.origin}/oidc/me`, { bearer: token })).status).toBe(401)
  expect((await request(`${cluster.origin}/v1/sessions`, { bearer: token })).status).toBe(401)
  expect(errorIn((await browser.go(await ask({ client_id: clientId }))).location)).toMatch(/^no error/)
  const unknown = await request(`${cluster.origin}/oidc/device/auth`, {
    form: { client_id: 'login:aaaaaaaaaaaaaaaaaaaaa' },
  })
  expect(unknown.status).toBe(401)
})

test('an id token of another client is no hint', async () => {
  const { browser, code } = await aCode()
  const { body } = await exchange(code)
  const hinted = await browser.go(await ask({ id_token_hint: body.id_token, prompt: 'none' }))
  expect(hinted.location).toContain('code=')
  const board = { client_id: 'board', redirect_uri: 'https://board.example.com/' }
  expect(errorIn((await browser.go(await ask({ ...board, id_token_hint: body.id_token }))).location)).toBe(
    'invalid_request',
  )
})

test('request objects, answers in a fragment, and requests of 1 MB are refused', async () => {
  expect((await newBrowser().go(await ask({ response_mode: 'fragment' }))).location).toContain('#error=invalid_request')
  expect(errorIn((await newBrowser().go(await ask({ request: 'e30.e30.' }))).location)).toBe('request_not_supported')
  expect(errorIn((await newBrowser().go(await ask({ request_uri: 'https://evil.example/' }))).location)).toBe(
    'request_uri_not_supported',
  )
  const pushed = await request(`${cluster.origin}/oidc/request`, {
    form: { ...(await usual()), client_secret: SECRET, state: 'x'.repeat(1_000_000) },
  })
  expect(pushed.status).toBe(413)
})

test('the answer names the issuer, so that a mix-up is noticed', async () => {
  const config = await discover(cluster.origin, 'wiki')
  expect(config.serverMetadata().authorization_response_iss_parameter_supported).toBe(true)
  const browser = newBrowser()
  const page = await browser.go(await ask())
  const answer = new URL(await logIn(browser, cluster.origin, page.location, alice))
  expect(answer.searchParams.get('iss')).toBe(`${cluster.origin}/oidc`)
})

test('a program on the person’s machine gets no answer without anybody knowing', async () => {
  const tool = { client_id: 'tool', redirect_uri: 'http://127.0.0.1:54321/callback' }
  const { browser } = await aCode()
  const asked = await browser.go(await ask(tool))
  expect(asked.location).toContain('/oidc/interaction/')
  const fresh = newBrowser()
  const page = await fresh.go(await ask(tool))
  expect(await logIn(fresh, cluster.origin, page.location, alice)).toMatch(
    /^http:\/\/127\.0\.0\.1:54321\/callback\?code=/,
  )
})
