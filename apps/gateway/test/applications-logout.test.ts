import { createHash } from 'node:crypto'
import { createSeal } from '@saoma/redis'
import { phoneToken, request, webToken } from '@saoma/testing'
import { decodeJwt, importJWK, type JWK, SignJWT } from 'jose'
import * as client from 'openid-client'
import { BYE, type Member, NODE_SECRET, startLogoutStage } from './logout-stage.ts'
import { type Browser, begin, createBrowser, SECRET } from './relying-party.ts'

/* Logouts at the wish of an application (RP-Initiated), introspection and revocation. */

const stage = await startLogoutStage()
const { cluster, nodes, redis, wikiServer, wiki, board } = stage
const { visit, newName, enter, sessionsOf, userinfo, form, admin, noted, tokenAt, askToLogOut, decide } = stage

/** The error that an application gets if it asks without a page who is logged in. */
const silently = async ({ browser }: Pick<Member, 'browser'>) =>
  new URL((await browser.go((await begin(wiki, { prompt: 'none' })).url)).location).searchParams.get('error')

let stayer: Promise<Member> | undefined
/** Somebody who is logged in over several tests. */
const whoStays = (): Promise<Member> => {
  stayer ??= enter()
  return stayer
}

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
  const { access_token: token, user } = await webToken(cluster.origin, newName())
  const aud = cluster.origin
  expect(await introspect(token)).toMatchObject({ active: true, client_id: 'web', sub: user, aud })
  expect(await introspect(token, 'guest')).toEqual({ active: false })
  // The phone's token decides about logins. It is for nobody else.
  expect(await introspect(await phoneToken(cluster.origin, newName()))).toEqual({ active: false })
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
