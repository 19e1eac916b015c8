import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createRedis, createSeal, type RedisClients } from '@saoma/redis'
import {
  type Cluster,
  confirm,
  createTicket,
  type Line,
  onCleanup,
  phoneToken,
  plainEnv,
  request,
  scan,
  startCluster,
  startProcess,
  testAdminKey,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { createRemoteJWKSet, decodeJwt, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import * as client from 'openid-client'
import { type LogoutReceiver, startLogoutReceiver } from './logout-receiver.ts'
import { type Browser, createBrowser, discover, logIn, loginClientAt, SECRET, scanned } from './relying-party.ts'

/*
 * Logouts (RP-Initiated and Back-Channel), introspection and revocation, over two nodes. The applications
 * that take logout tokens are servers.
 */

const NODE_SECRET = 'a secret of tests, which nobody keeps'
const BYE = 'https://wiki.example.com/bye'
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

let cluster: Cluster
let redis: RedisClients
let wikiServer: LogoutReceiver
let boardServer: LogoutReceiver
let guestServer: LogoutReceiver
let wiki: client.Configuration
let board: client.Configuration
const lines: Line[] = []
const nodes = () => cluster.nodes.map(({ origin }) => origin)

/** Registered applications: the business's, and one of somebody else. */
const clientsOf = () => {
  const application = (id: string, backchannel: string, more: object = {}) => ({
    client_id: id,
    client_name: id,
    type: 'confidential',
    party: 'first',
    redirect_uris: [`https://${id}.example.com/callback`],
    post_logout_redirect_uris: [`https://${id}.example.com/bye`],
    backchannel_logout_uri: backchannel,
    grant_types: ['authorization_code', 'refresh_token'],
    secret_sha256: sha256(SECRET),
    ...more,
  })
  return JSON.stringify([
    application('wiki', wikiServer.url),
    application('board', boardServer.url, { id_token_signed_response_alg: 'ES256' }),
    application('guest', guestServer.url, { party: 'third' }),
    application('tv', boardServer.url, {
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: [],
      post_logout_redirect_uris: [],
    }),
    // An address of this machine that nobody has named.
    application('vault', 'http://[::1]:9/logout'),
    {
      client_id: 'tool',
      client_name: 'Tool',
      type: 'public',
      redirect_uris: ['https://tool.example.com/'],
      party: 'first',
    },
  ])
}

beforeAll(async () => {
  ;[wikiServer, boardServer, guestServer] = await Promise.all([
    startLogoutReceiver(),
    startLogoutReceiver(),
    startLogoutReceiver(),
  ])
  cluster = await startCluster({
    nodes: 2,
    env: {
      SAOMA_SECRET: NODE_SECRET,
      SAOMA_CLIENTS: clientsOf(),
      SAOMA_APPLICATION_NETWORKS: '127.0.0.1',
      SAOMA_SESSIONS_PER_PERSON: '3',
    },
    onLine: (_, line) => lines.push(line),
  })
  redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(() => redis.close())
  wiki = await discover(cluster.origin, 'wiki')
  board = await discover(cluster.origin, 'board')
}, 60_000)
afterAll(() => cluster.stop())

const callbackOf = (id: string) => `https://${id}.example.com/callback`
const begin = async (config: client.Configuration, more: Record<string, string> = {}) => {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callbackOf(config.clientMetadata().client_id),
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  })
  return { url: url.href, pkceCodeVerifier }
}
/** Goes to an application with a browser that is logged in. */
const visit = async (browser: Browser, config: client.Configuration, more: Record<string, string> = {}) => {
  const { url, pkceCodeVerifier } = await begin(config, more)
  return client.authorizationCodeGrant(config, new URL((await browser.go(url)).location), { pkceCodeVerifier })
}

let people = 0
/** A new person who has entered the wiki. */
const enter = async (config = wiki) => {
  const name = `person-${people++}`
  const phone = await phoneToken(cluster.origin, name)
  const browser = createBrowser(cluster.origin, nodes())
  const { url, pkceCodeVerifier } = await begin(config)
  const answer = await logIn(browser, cluster.origin, (await browser.go(url)).location, phone)
  const tokens = await client.authorizationCodeGrant(config, new URL(answer), { pkceCodeVerifier })
  const { sid, sub } = tokens.claims() as unknown as { sid: string; sub: string }
  return { name, phone, browser, tokens, sid, sub, hint: tokens.id_token ?? '' }
}
type Member = Awaited<ReturnType<typeof enter>>

const sessionsOf = async (phone: string) =>
  (await request<{ sessions: { sid: string }[] }>(`${cluster.origin}/v1/sessions`, { bearer: phone })).body.sessions
const userinfo = async (token: string) => (await request(`${cluster.origin}/oidc/me`, { bearer: token })).status
const form = (token: string, id = 'wiki', more: Record<string, string> = {}) => ({
  form: { token, client_id: id, client_secret: SECRET, ...more },
})
const admin = <T>(method: string, path: string) =>
  request<T>(`${cluster.nodes[0]?.internalOrigin}/v1/admin${path}`, { method, bearer: testAdminKey })
/** The entries of the audit about a person, once there are some. */
const noted = async (query: string) => {
  const { body } = await until(
    () => admin<{ entries: Record<string, unknown>[] }>('GET', `/audit?${query}`),
    ({ body: { entries } }) => entries.length > 0,
  )
  return body.entries
}

/** The next logout token of an application, verified. */
const tokenAt = async (receiver: LogoutReceiver, audience: string, alg = 'RS256') => {
  const keys = createRemoteJWKSet(new URL(`${cluster.origin}/oidc/jwks`))
  const { payload, protectedHeader } = await jwtVerify(await receiver.next(), keys, {
    issuer: `${cluster.origin}/oidc`,
    audience,
    typ: 'logout+jwt',
    algorithms: [alg],
  })
  expect(protectedHeader.alg).toBe(alg)
  expect(payload).toEqual({
    ...{ iss: `${cluster.origin}/oidc`, aud: audience, sub: expect.any(String), sid: expect.any(String) },
    ...{ iat: expect.any(Number), exp: expect.any(Number), jti: expect.stringMatching(/^.{16,}$/) },
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
  return payload
}

/** Asks to log out. Resolves with what the page has to send. */
const askToLogOut = async ({ browser }: Pick<Member, 'browser'>, parameters: Record<string, string>) => {
  const page = await browser.go(client.buildEndSessionUrl(wiki, parameters).href)
  expect([page.status, page.location]).toEqual([404, `${cluster.origin}/oidc/logout`])
  const { text } = await browser.go('/oidc/logout/details')
  return JSON.parse(text) as { xsrf: string; application?: object }
}
const decide = ({ browser }: Pick<Member, 'browser'>, fields: Record<string, string>) =>
  browser.post('/oidc/session/end/confirm', { form: fields })
/** The error that an application gets if it asks without a page who is logged in. */
const silently = async ({ browser }: Pick<Member, 'browser'>) =>
  new URL((await browser.go((await begin(wiki, { prompt: 'none' })).url)).location).searchParams.get('error')

let stayer: Promise<Member> | undefined
/** Somebody who is logged in over several tests. */
const whoStays = (): Promise<Member> => {
  stayer ??= enter()
  return stayer
}

const runSessions = async (sub: string) => {
  const script = fileURLToPath(new URL('../src/bin/sessions.ts', import.meta.url))
  const env = {
    REDIS_URL: cluster.redis.url,
    SAOMA_ORIGIN: cluster.origin,
    SAOMA_SECRET: NODE_SECRET,
    SAOMA_DEMO: 'true',
  }
  const { exited } = await startProcess({
    name: 'sessions',
    command: process.execPath,
    args: [script, 'end', sub],
    env: { ...plainEnv(), ...env },
  })
  expect((await exited).code).toBe(0)
}

const ends: Record<string, (member: Member) => Promise<unknown>> = {
  'in the list of logins': ({ phone, sid }) =>
    request(`${cluster.origin}/v1/sessions/${sid}`, { method: 'DELETE', bearer: phone }),
  'with all others': ({ phone }) => request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone }),
  'by a backend': ({ sub, sid }) =>
    request(`${cluster.origin}/v1/users/${sub}/end`, { method: 'POST', bearer: testApiKey, json: { sid } }),
  'by an administrator': ({ sub }) => admin('POST', `/accounts/${sub}/sessions/end`),
  'by an operator’s command': ({ sub }) => runSessions(sub),
  'by the limit of sessions': async ({ name }) => {
    for (let i = 0; i < 3; i++) await webToken(cluster.origin, name)
  },
  'with a disabled account': ({ sub }) => admin('POST', `/accounts/${sub}/disable`),
  'with a deleted account': ({ sub }) => admin('DELETE', `/accounts/${sub}`),
  'by logging out': async (member) => {
    const { xsrf } = await askToLogOut(member, { id_token_hint: member.hint })
    await decide(member, { xsrf, logout: 'yes' })
  },
  'because somebody else logs in at the browser': async ({ browser }) => {
    const { url } = await begin(wiki, { prompt: 'login' })
    const page = (await browser.go(url)).location
    const token = await scanned(cluster.origin, loginClientAt(page), await phoneToken(cluster.origin, 'somebody-else'))
    const { body } = await browser.post(`${page}/login`, { bearer: token })
    const { text } = await browser.go(String(body.location))
    await decide({ browser }, { xsrf: /name="xsrf" value="([^"]+)"/.exec(text)?.[1] ?? '', logout: 'yes' })
  },
}

test.each(Object.keys(ends))('applications are told when a session ends %s', async (how) => {
  const member = await enter()
  await visit(member.browser, board)
  await ends[how]?.(member)
  const { sid, sub } = member
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  expect(await tokenAt(boardServer, 'board', 'ES256')).toMatchObject({ sid, sub })
})

test('a code that is used twice logs the person out of that application', async () => {
  const { browser, sid, sub, phone } = await enter()
  await visit(browser, board)
  const { url, pkceCodeVerifier } = await begin(wiki)
  const answer = new URL((await browser.go(url)).location)
  await client.authorizationCodeGrant(wiki, answer, { pkceCodeVerifier })
  await client.authorizationCodeGrant(wiki, answer, { pkceCodeVerifier }).catch(() => {})
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  // The session goes on, and the other application in it.
  expect((await sessionsOf(phone)).map((session) => session.sid)).toContain(sid)
  expect((await visit(browser, board)).claims()?.sid).toBe(sid)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(boardServer, 'board', 'ES256')).toMatchObject({ sid })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
})

test('a device is told when its login ends', async () => {
  const phone = await phoneToken(cluster.origin, 'a-viewer')
  const credentials = { client_id: 'tv', client_secret: SECRET }
  const { device_code, ticket } = await createTicket(cluster.origin, { form: { ...credentials, scope: 'openid' } })
  await scan(nodes()[0] ?? '', ticket, phone)
  await confirm(nodes()[1] ?? '', ticket, phone)
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const form = { ...credentials, grant_type, device_code }
  const { status } = await request(`${cluster.origin}/oidc/token`, { form })
  expect(status).toBe(200)
  const [{ sid = '' } = {}] = await sessionsOf(phone)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(boardServer, 'tv')).toMatchObject({ sid })
})

test('an application that the person has not let in is told nothing', async () => {
  const phone = await phoneToken(cluster.origin, 'a-careful-person')
  const browser = createBrowser(cluster.origin, nodes())
  const guest = await discover(cluster.origin, 'guest')
  const page = (await browser.go((await begin(guest)).url)).location
  // Now the page asks whether the application may know anything.
  const consent = await logIn(browser, cluster.origin, page, phone)
  const [{ sid = '' } = {}] = await sessionsOf(phone)
  await visit(browser, wiki)
  await browser.post(`${consent}/abort`)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  expect(guestServer.tokens).toEqual([])
})

test('an application that fails twice is told in the third try', async () => {
  const { phone, sid } = await enter()
  let answers = 0
  wikiServer.answer = (res) => void res.writeHead(++answers < 3 ? 500 : 200).end()
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  const tokens = [
    await tokenAt(wikiServer, 'wiki'),
    await tokenAt(wikiServer, 'wiki'),
    await tokenAt(wikiServer, 'wiki'),
  ]
  expect(tokens.map((token) => token.sid)).toEqual([sid, sid, sid])
  // Each try has a token of its own, which is good for two minutes.
  expect(new Set(tokens.map(({ jti }) => jti)).size).toBe(3)
  await until(
    () => redis.data.zcard(redis.keys.untoldDue()),
    (left) => left === 0,
  )
})

test('a node that dies between the end and the answer of the application is followed by another', async () => {
  const [first] = cluster.nodes
  if (!first) throw new Error('there are two nodes')
  const { phone, sid } = await enter()
  // It stalls.
  wikiServer.answer = () => {}
  await request(`${first.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  await first.kill()
  wikiServer.answer = (res) => void res.end()
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  await first.restart()
})

test('a refused address is told in log, audit and metric, and harms nobody else', async () => {
  const vault = await discover(cluster.origin, 'vault')
  const { phone, sid, sub, browser } = await enter(vault)
  await visit(browser, wiki)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  const entries = await noted(`kind=application.untold&person=${sub}`)
  expect(entries).toEqual([expect.objectContaining({ client: 'vault', sid, reason: 'ADDRESS_REFUSED', by: 'saoma' })])
  expect(lines.filter(({ json }) => json?.event === 'logout').map(({ json }) => json)).toEqual([
    expect.objectContaining({ level: 'warn', client: 'vault', sid, reason: 'ADDRESS_REFUSED' }),
  ])
  const failed = await Promise.all(
    cluster.nodes.map(async ({ internalOrigin }) => {
      const { body } = await request<string>(`${internalOrigin}/metrics`)
      return Number(/saoma_application_logouts_total\{result="failed"\} (\d+)/.exec(body)?.[1])
    }),
  )
  expect(failed.reduce((sum, count) => sum + count, 0)).toBe(1)
})

test('what an application has yet to be told of a deleted person is left for two hours at most', async () => {
  const { sub, sid } = await enter()
  wikiServer.answer = (res) => void res.writeHead(503).end()
  await admin('DELETE', `/accounts/${sub}`)
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  const [key = '', ...more] = await redis.data.keys(`${redis.keys.prefix}:untold:*`)
  expect([more, await redis.data.hget(key, 's')]).toEqual([[], sub])
  expect(await redis.data.pttl(key)).toBeLessThanOrEqual(2 * 3_600_000)
  wikiServer.answer = (res) => void res.end()
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  await until(
    () => redis.data.exists(key),
    (left) => left === 0,
  )
})

test('a person logs out at the wish of an application, on every node, and returns to it', async () => {
  const member = await enter()
  const { browser, phone, sid, sub, hint, tokens } = member
  const parameters = { id_token_hint: hint, post_logout_redirect_uri: BYE, state: 'a state & more' }
  const { xsrf, application } = await askToLogOut(member, parameters)
  expect(application).toEqual({ id: 'wiki', name: 'wiki' })
  // Nothing has happened by asking.
  expect(await userinfo(tokens.access_token)).toBe(200)
  const done = await decide(member, { xsrf, logout: 'yes' })
  expect(done.status).toBe(303)
  const location = new URL(done.headers.get('location') ?? '')
  expect([location.origin + location.pathname, [...location.searchParams]]).toEqual([
    BYE,
    [['state', 'a state & more']],
  ])
  expect(await sessionsOf(phone)).toEqual([])
  for (const origin of nodes())
    expect((await request(`${origin}/oidc/me`, { bearer: tokens.access_token })).status).toBe(401)
  expect((await browser.go((await begin(wiki)).url)).location).toContain('/oidc/interaction/')
  expect(await silently(member)).toBe('login_required')
  const [ended] = await noted(`kind=session.ended&person=${sub}`)
  expect(ended).toMatchObject({ sid, by: 'browser', reason: 'logout' })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  // The question is over, and so is its answer.
  expect((await decide(member, { xsrf, logout: 'yes' })).status).toBe(400)
  expect((await browser.go('/oidc/logout/details')).status).toBe(404)
})

test('a person may leave one application only', async () => {
  const member = await enter()
  const other = await visit(member.browser, board)
  const { xsrf } = await askToLogOut(member, { client_id: 'wiki', post_logout_redirect_uri: BYE })
  const done = await decide(member, { xsrf })
  expect([done.status, done.headers.get('location')]).toEqual([303, BYE])
  expect(await userinfo(member.tokens.access_token)).toBe(401)
  expect(await userinfo(other.access_token)).toBe(200)
  expect((await visit(member.browser, wiki)).claims()?.sid).toBe(member.sid)
})

test('a request that is posted, and one without an address, end at our own page', async () => {
  const member = await enter()
  const posted = await member.browser.post('/oidc/session/end', {
    form: { id_token_hint: member.hint },
    origin: 'https://wiki.example.com',
  })
  expect(posted.status).toBe(303)
  const page = await member.browser.go(posted.headers.get('location') ?? '')
  expect(page.location).toBe(`${cluster.origin}/oidc/logout`)
  const { xsrf } = JSON.parse((await member.browser.go('/oidc/logout/details')).text)
  const done = await decide(member, { xsrf, logout: 'yes' })
  expect((await member.browser.go(done.headers.get('location') ?? '')).location).toBe(
    `${cluster.origin}/oidc/logout/done`,
  )
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid: member.sid })
})

type Sent = 'id_token_hint' | 'post_logout_redirect_uri' | 'state'
/** Sends these parameters from a browser that is logged in, and answers the question. */
const logOutWith = async (member: Member, sent: readonly Sent[]) => {
  const all: Record<Sent, string> = { id_token_hint: member.hint, post_logout_redirect_uri: BYE, state: 'a-state' }
  const query = new URLSearchParams(sent.map((name) => [name, all[name]]))
  const page = await member.browser.go(`/oidc/session/end?${query}`)
  // The person is asked, whatever the request has.
  expect([page.status, page.location]).toEqual([404, `${cluster.origin}/oidc/logout`])
  expect(await userinfo(member.tokens.access_token)).toBe(200)
  const { xsrf } = JSON.parse((await member.browser.go('/oidc/logout/details')).text)
  const done = await decide(member, { xsrf, logout: 'yes' })
  expect(done.status).toBe(303)
  expect(await sessionsOf(member.phone)).toEqual([])
  expect(await silently(member)).toBe('login_required')
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid: member.sid })
  return done.headers.get('location') ?? ''
}

const toOurPage: [string, Sent[]][] = [
  ['no id_token_hint', ['post_logout_redirect_uri', 'state']],
  ['no parameters', []],
  ['no post_logout_redirect_uri', ['id_token_hint', 'state']],
  ['a state alone', ['state']],
]
test.each(toOurPage)('a logout with %s ends the login, and stays at our own page', async (_what, sent) => {
  const member = await enter()
  const location = await logOutWith(member, sent)
  expect((await member.browser.go(location)).location).toBe(`${cluster.origin}/oidc/logout/done`)
})

test('a logout without a state returns without one', async () => {
  expect(await logOutWith(await enter(), ['id_token_hint', 'post_logout_redirect_uri'])).toBe(BYE)
})

test('who is not logged in is asked nothing, and returns', async () => {
  const browser = createBrowser(cluster.origin, nodes())
  const page = await browser.go(
    client.buildEndSessionUrl(wiki, { client_id: 'wiki', post_logout_redirect_uri: BYE, state: 's' }).href,
  )
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
  const done = await decide({ browser }, { xsrf, logout: 'yes' })
  expect([done.status, done.headers.get('location')]).toEqual([303, `${BYE}?state=s`])
  // What anybody may cause to be stored goes soon.
  const stored = await createBrowser(cluster.origin, nodes()).go('/oidc/session/end')
  expect(stored.status).toBe(200)
  const records = await redis.data.keys(`${redis.keys.prefix}:oidc:Session:*`)
  const ttls = await Promise.all(records.map((key) => redis.data.ttl(key)))
  expect(ttls.some((ttl) => ttl > 0 && ttl <= 900)).toBe(true)
})

test.each([
  `${BYE}/`,
  `${BYE}?more=1`,
  `${BYE}#here`,
  BYE.replace('https', 'http'),
  'https://wiki.example.com.evil.example/bye',
  'https://evil.example/',
  '//evil.example/bye',
  'javascript:alert(1)',
  'https://board.example.com/bye',
])('nobody is sent to %s after logging out', async (address) => {
  const member = await whoStays()
  const end = async (browser: Browser, who: Record<string, string>) => {
    const query = new URLSearchParams({ ...who, post_logout_redirect_uri: address, state: 's' })
    const page = await browser.go(`/oidc/session/end?${query}`)
    expect(page.text).not.toMatch(/evil|board|alert/)
    return page
  }
  const stranger = createBrowser(cluster.origin, nodes())
  for (const browser of [stranger, member.browser])
    for (const who of [{ client_id: 'wiki' }, { id_token_hint: member.hint }] as Record<string, string>[]) {
      const page = await end(browser, who)
      expect([page.status, page.location.startsWith(cluster.origin)]).toEqual([400, true])
    }
  // Without a client an address counts for nothing.
  const { text } = await end(stranger, {})
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
  const done = await decide({ browser: stranger }, { xsrf, logout: 'yes' })
  expect(done.headers.get('location')).toBe(`${cluster.origin}/oidc/session/end/success`)
  // The person has not been asked, and is still logged in.
  expect((await member.browser.go('/oidc/logout/details')).status).toBe(404)
  expect(await silently(member)).toBeNull()
})

/** A key of the cluster, as only a test may have it. */
const keyOf = async (alg: 'ES256' | 'RS256') => {
  const [{ kid, sealed } = { kid: '', sealed: '' }] = JSON.parse(
    (await redis.data.get(redis.keys.signingKeys(alg))) ?? '[]',
  )
  const seal = createSeal({ secrets: [NODE_SECRET], purpose: 'saoma signing keys' })
  const jwk = JSON.parse((await seal.open(sealed)) ?? '') as JWK
  return { kid: String(kid), key: await importJWK(jwk, alg) }
}
const hintOf = async (alg: 'ES256' | 'RS256', audience: string, more: { kid?: string; expires?: number } = {}) => {
  const { kid, key } = await keyOf(alg)
  return new SignJWT({})
    .setProtectedHeader({ alg, kid: more.kid ?? kid })
    .setIssuer(`${cluster.origin}/oidc`)
    .setAudience(audience)
    .setSubject('somebody')
    .setIssuedAt(1_700_000_000)
    .setExpirationTime(more.expires ?? 1_700_000_600)
    .sign(key)
}
const endWith = (parameters: Record<string, string>, browser = createBrowser(cluster.origin, nodes())) =>
  browser.go(`/oidc/session/end?${new URLSearchParams(parameters)}`)
/** What the suite sends: issuer and audience are exchanged, and the client's secret has signed it. */
const hintOfSuite = () =>
  new SignJWT({ sub: 'SubjectID', nonce: 'flibble' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('wiki')
    .setAudience(`${cluster.origin}/oidc`)
    .setIssuedAt()
    .setExpirationTime('5 minutes')
    .sign(new TextEncoder().encode(SECRET))

test('an id token that is over is a hint, and so is one whose key is gone', async () => {
  const old = await endWith({ id_token_hint: await hintOf('RS256', 'wiki'), post_logout_redirect_uri: BYE })
  expect(old.status).toBe(200)
  const gone = await hintOf('RS256', 'wiki', { kid: 'a-key-of-last-year' })
  expect((await endWith({ id_token_hint: gone, post_logout_redirect_uri: BYE })).status).toBe(200)
  // It names the application, and no more than that.
  const other = await endWith({ id_token_hint: gone, post_logout_redirect_uri: 'https://board.example.com/bye' })
  expect(other.status).toBe(400)
})

test('a hint of another client, of another algorithm, altered or made up is refused', async () => {
  const hint = await hintOf('RS256', 'wiki')
  const [head = '', body = '', signature = ''] = hint.split('.')
  const altered = Buffer.from(JSON.stringify({ ...decodeJwt(hint), aud: 'board' })).toString('base64url')
  const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  const { kid } = await keyOf('RS256')
  const symmetric = Buffer.from(JSON.stringify({ alg: 'HS256', kid })).toString('base64url')
  const member = await whoStays()
  const unsigned = `${none}.${member.hint.split('.')[1]}.`
  for (const parameters of [
    { id_token_hint: hint, client_id: 'board' },
    { id_token_hint: hint, post_logout_redirect_uri: 'https://board.example.com/bye' },
    { id_token_hint: await hintOf('ES256', 'wiki') },
    { id_token_hint: `${head}.${altered}.${signature}` },
    { id_token_hint: `${none}.${body}.` },
    { id_token_hint: unsigned, post_logout_redirect_uri: BYE, state: 's' },
    { id_token_hint: await hintOfSuite(), post_logout_redirect_uri: BYE, state: 's' },
    { id_token_hint: `${symmetric}.${body}.${signature}` },
    { id_token_hint: await hintOf('RS256', 'nobody') },
    { id_token_hint: 'rubbish' },
    { client_id: 'nobody' },
  ] as Record<string, string>[])
    for (const browser of [undefined, member.browser]) {
      const { status, text, headers } = await endWith(parameters, browser)
      expect([parameters, status]).toEqual([parameters, 400])
      expect(text).toContain('This logout cannot go on')
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    }
  expect((await member.browser.go('/oidc/logout/details')).status).toBe(404)
  expect(await silently(member)).toBeNull()
})

test('nobody else’s page logs a person out', async () => {
  const member = await enter()
  const { xsrf } = await askToLogOut(member, { id_token_hint: member.hint })
  for (const fields of [{ logout: 'yes' }, { logout: 'yes', xsrf: 'x'.repeat(48) }] as Record<string, string>[])
    expect((await decide(member, fields)).status).toBe(400)
  const foreign = { form: { xsrf, logout: 'yes' }, origin: 'https://evil.example' }
  expect((await member.browser.post('/oidc/session/end/confirm', foreign)).status).toBe(403)
  // Who only has the address has no cookie.
  expect((await createBrowser(cluster.origin, nodes()).go('/oidc/logout/details')).status).toBe(404)
  expect(await userinfo(member.tokens.access_token)).toBe(200)
  const { headers } = await member.browser.go('/oidc/logout/details')
  expect([headers.get('access-control-allow-credentials'), headers.get('cache-control')]).toEqual([null, 'no-store'])
})

const introspect = async (token: string, id = 'wiki', more: Record<string, string> = {}) =>
  (await request<Record<string, unknown>>(`${cluster.origin}/oidc/token/introspection`, form(token, id, more))).body

test('a client introspects its own tokens, and they are inactive when the session has ended', async () => {
  const { tokens, sid, sub, phone } = await enter()
  const answer = await client.tokenIntrospection(wiki, tokens.access_token)
  expect(answer).toEqual({
    ...{ active: true, iss: `${cluster.origin}/oidc`, aud: `${cluster.origin}/oidc/me`, client_id: 'wiki', sub, sid },
    ...{ scope: 'openid profile', token_type: 'Bearer', jti: expect.any(String) },
    ...{ iat: expect.any(Number), exp: expect.any(Number) },
  })
  expect(await introspect(tokens.refresh_token ?? '')).toMatchObject({ active: true, client_id: 'wiki', sub, sid })
  for (const token of [tokens.access_token, tokens.refresh_token ?? '', 'rubbish', `${tokens.access_token}x`]) {
    expect(await introspect(token, 'board')).toEqual({ active: false })
    expect(await introspect(token, 'tool', { client_secret: '' })).toEqual({ active: false })
  }
  expect(await introspect('e30.e30.e30')).toEqual({ active: false })
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await introspect(tokens.access_token)).toEqual({ active: false })
  expect(await introspect(tokens.refresh_token ?? '')).toEqual({ active: false })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
})

test('who introspects must show who it is', async () => {
  const { tokens } = await enter()
  const url = `${cluster.origin}/oidc/token/introspection`
  const wrong = await request<{ error: string }>(url, form(tokens.access_token, 'wiki', { client_secret: 'wrong' }))
  expect([wrong.status, wrong.body.error]).toEqual([401, 'invalid_client'])
  expect((await request(url, { form: { token: tokens.access_token } })).status).toBe(400)
  expect((await request(url, { form: { client_id: 'wiki', client_secret: SECRET } })).status).toBe(400)
})

test('an application of the business introspects tokens for the business’s backends, one of others does not', async () => {
  const { access_token: token, user } = await webToken(cluster.origin, `person-${people++}`)
  const aud = cluster.origin
  expect(await introspect(token)).toMatchObject({ active: true, client_id: 'web', sub: user, aud })
  expect(await introspect(token, 'guest')).toEqual({ active: false })
  // The phone's token decides about logins. It is for nobody else.
  expect(await introspect(await phoneToken(cluster.origin, `person-${people++}`))).toEqual({ active: false })
})

test('introspecting a used refresh token harms nobody', async () => {
  const { tokens } = await enter()
  const used = tokens.refresh_token ?? ''
  const fresh = await client.refreshTokenGrant(wiki, used)
  await redis.data.unlink(redis.keys.oidc('RefreshToken', createHash('sha256').update(used).digest('base64url')))
  expect(await introspect(used)).toEqual({ active: false })
  expect(await introspect(fresh.refresh_token ?? '')).toMatchObject({ active: true })
})

test('a disabled account has no active token', async () => {
  const { tokens, sub, sid } = await enter()
  await admin('POST', `/accounts/${sub}/disable`)
  expect(await introspect(tokens.access_token)).toEqual({ active: false })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
})

test('a client revokes an access token, and its grant goes with it', async () => {
  const { tokens, phone, sid } = await enter()
  const revoke = (token: string, id = 'wiki', more = {}) =>
    request<{ error?: string }>(`${cluster.origin}/oidc/token/revocation`, form(token, id, more))
  // Of another client, or of nobody: the answer is the same, and nothing happens.
  expect((await revoke(tokens.access_token, 'board')).status).toBe(200)
  expect((await revoke('e30.e30.e30')).status).toBe(200)
  expect((await revoke(tokens.access_token, 'wiki', { client_secret: 'wrong' })).status).toBe(401)
  expect(await userinfo(tokens.access_token)).toBe(200)
  await client.tokenRevocation(wiki, tokens.access_token)
  expect(await userinfo(tokens.access_token)).toBe(401)
  expect(await introspect(tokens.refresh_token ?? '')).toEqual({ active: false })
  expect((await sessionsOf(phone)).map((session) => session.sid)).toEqual([sid])
  const { refresh_token: token = '' } = (await enter()).tokens
  await client.tokenRevocation(wiki, token)
  expect(await introspect(token)).toEqual({ active: false })
  // A token of a phone stands for nothing that could be revoked.
  const { status, body } = await revoke(await phoneToken(cluster.origin, 'alice'), 'phone', { client_secret: '' })
  expect([status, body.error]).toEqual([400, 'unsupported_token_type'])
})

test('discovery says what there is', () => {
  expect(wiki.serverMetadata()).toMatchObject({
    end_session_endpoint: `${cluster.origin}/oidc/session/end`,
    introspection_endpoint: `${cluster.origin}/oidc/token/introspection`,
    revocation_endpoint: `${cluster.origin}/oidc/token/revocation`,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  })
  expect(wiki.serverMetadata().frontchannel_logout_supported).toBeUndefined()
})
