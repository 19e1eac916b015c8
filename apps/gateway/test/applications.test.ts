import { hash } from 'node:crypto'
import { createRedis } from '@saoma/redis'
import { type Cluster, phoneToken, request, startCluster, until } from '@saoma/testing'
import * as client from 'openid-client'
import {
  begin,
  createBrowser,
  discover,
  errorIn,
  errorOf,
  logIn,
  loginClientAt,
  REDIRECT,
  scanned,
  testClients,
} from './relying-party.ts'

let cluster: Cluster
let wiki: client.Configuration
let alice: string
const nodes = () => cluster.nodes.map(({ origin }) => origin)

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: testClients } })
  wiki = await discover(cluster.origin, 'wiki')
  alice = await phoneToken(cluster.origin, 'alice')
})
afterAll(() => cluster.stop())

test('a person scans on the page of an application, and is in', async () => {
  const browser = createBrowser(cluster.origin, nodes())
  const { url, checks } = await begin(wiki)
  const page = await browser.go(url)
  expect(page.location).toMatch(new RegExp(`^${cluster.origin}/oidc/interaction/`))
  const details = await browser.go(`${page.location}/details`)
  expect(JSON.parse(details.text)).toMatchObject({ prompt: 'login', application: { id: 'wiki', name: 'Wiki' } })
  const answer = await logIn(browser, cluster.origin, page.location, alice)
  expect(answer).toMatch(/^https:\/\/wiki\.example\.com\/callback\?/)
  const tokens = await client.authorizationCodeGrant(wiki, new URL(answer), checks)
  expect(tokens.claims()).toMatchObject({
    iss: `${cluster.origin}/oidc`,
    aud: 'wiki',
    name: 'alice',
    acr: 'urn:saoma:acr:tap',
    amr: ['mca', 'user'],
    sid: expect.stringMatching(/^[\w-]{22}$/),
  })
  expect(tokens.refresh_token).toBeDefined()
  const userinfo = await client.fetchUserInfo(wiki, tokens.access_token, tokens.claims()?.sub ?? '')
  expect(userinfo).toMatchObject({ name: 'alice' })
  const fresh = await client.refreshTokenGrant(wiki, tokens.refresh_token ?? '')
  expect(fresh.claims()?.sid).toBe(tokens.claims()?.sid)
})

/** A whole login of a new browser. */
const enter = async (phone = alice) => {
  const browser = createBrowser(cluster.origin, nodes())
  const { url, checks } = await begin(wiki)
  const page = await browser.go(url)
  const answer = await logIn(browser, cluster.origin, page.location, phone)
  const tokens = await client.authorizationCodeGrant(wiki, new URL(answer), checks)
  return { browser, tokens, answer, checks, sid: String(tokens.claims()?.sid), sub: String(tokens.claims()?.sub) }
}
const userinfo = async (token: string) => (await request(`${cluster.origin}/oidc/me`, { bearer: token })).status
const sessionsOf = async (phone: string) =>
  (await request<{ sessions: Record<string, unknown>[] }>(`${cluster.origin}/v1/sessions`, { bearer: phone })).body
    .sessions

test('somebody who is logged in enters further applications straight away, with one session', async () => {
  const bob = await phoneToken(cluster.origin, 'bob')
  const { browser, sid } = await enter(bob)
  const board = await discover(cluster.origin, 'board', {}, true)
  const redirect_uri = 'https://board.example.com/'
  const { url, checks } = await begin(board, { redirect_uri })
  const { location } = await browser.go(url)
  const tokens = await client.authorizationCodeGrant(board, new URL(location), checks)
  expect(tokens.claims()).toMatchObject({ sid, aud: 'board' })
  expect(await sessionsOf(bob)).toEqual([
    expect.objectContaining({ sid, client: 'wiki', app: 'Wiki', applications: [{ client: 'board', name: 'Board' }] }),
  ])
})

test('the end of the session is the end of single sign-on and of every token of its applications', async () => {
  const carol = await phoneToken(cluster.origin, 'carol')
  const { browser, tokens, sid } = await enter(carol)
  const other = await enter(carol)
  expect(await userinfo(tokens.access_token)).toBe(200)
  expect((await request(`${cluster.origin}/v1/sessions/${sid}`, { method: 'DELETE', bearer: carol })).status).toBe(200)
  expect(await userinfo(tokens.access_token)).toBe(401)
  expect(await errorOf(client.refreshTokenGrant(wiki, tokens.refresh_token ?? ''))).toBe('invalid_grant')
  expect((await browser.go((await begin(wiki)).url)).location).toContain('/oidc/interaction/')
  expect(errorIn((await browser.go((await begin(wiki, { prompt: 'none' })).url)).location)).toBe('login_required')
  expect(await userinfo(other.tokens.access_token)).toBe(200)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: carol })
  expect(await userinfo(other.tokens.access_token)).toBe(401)
})

test('an application’s token is worth nothing outside of userinfo', async () => {
  const { tokens } = await enter()
  for (const path of ['/v1/sessions', '/v1/me/activity'])
    expect([path, (await request(`${cluster.origin}${path}`, { bearer: tokens.access_token })).status]).toEqual([
      path,
      401,
    ])
})

test('prompt=none answers without a page, prompt=login and select_account ask for a scan', async () => {
  const { browser, sid } = await enter()
  const silent = await begin(wiki, { prompt: 'none' })
  const { location } = await browser.go(silent.url)
  const tokens = await client.authorizationCodeGrant(wiki, new URL(location), silent.checks)
  expect(tokens.claims()?.sid).toBe(sid)
  for (const prompt of ['login', 'select_account']) {
    const again = await begin(wiki, { prompt })
    const page = await browser.go(again.url)
    expect(page.location).toContain('/oidc/interaction/')
    const answer = await logIn(browser, cluster.origin, page.location, alice)
    const fresh = await client.authorizationCodeGrant(wiki, new URL(answer), again.checks)
    // The browser is still in the same session.
    expect(fresh.claims()?.sid).toBe(sid)
    expect(Number(fresh.claims()?.auth_time)).toBeGreaterThanOrEqual(Number(tokens.claims()?.auth_time))
  }
  const nobody = createBrowser(cluster.origin, nodes())
  expect(errorIn((await nobody.go((await begin(wiki, { prompt: 'none' })).url)).location)).toBe('login_required')
  expect(errorIn((await nobody.go((await begin(wiki, { prompt: 'create' })).url)).location)).toBe('invalid_request')
})

test('max_age=0 asks for a scan, and auth_time is told', async () => {
  const { browser } = await enter()
  expect((await browser.go((await begin(wiki, { max_age: '0' })).url)).location).toContain('/oidc/interaction/')
  expect((await browser.go((await begin(wiki, { max_age: '3600' })).url)).location).toContain('code=')
})

test('acr values that cannot be given are an error, and no silent yes', async () => {
  const { browser } = await enter()
  const strong = await browser.go((await begin(wiki, { acr_values: 'urn:example:vault' })).url)
  expect(errorIn(strong.location)).toBe('unmet_authentication_requirements')
  const both = await begin(wiki, { acr_values: 'urn:example:vault urn:saoma:acr:tap' })
  const { location } = await browser.go(both.url)
  expect(location).toContain('code=')
})

test('another person at the same browser ends the session of the first one there', async () => {
  const dora = await phoneToken(cluster.origin, 'dora')
  const { browser, tokens } = await enter(dora)
  const again = await begin(wiki, { prompt: 'login' })
  const page = await browser.go(again.url)
  const erin = await phoneToken(cluster.origin, 'erin')
  const token = await scanned(cluster.origin, loginClientAt(page.location), erin)
  const done = await browser.post(`${page.location}/login`, { bearer: token })
  const form = await browser.go(String(done.body.location))
  // A page that posts itself.
  const action = /action="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  expect(new URL(action).pathname).toBe('/oidc/session/end/confirm')
  const confirmed = await browser.post(action, { form: { xsrf, logout: 'yes' } })
  expect(confirmed.status).toBe(303)
  const { location } = await browser.go(confirmed.headers.get('location') ?? '')
  const fresh = await client.authorizationCodeGrant(wiki, new URL(location), again.checks)
  expect(fresh.claims()).toMatchObject({ name: 'erin' })
  expect(await userinfo(tokens.access_token)).toBe(401)
  expect(await userinfo(fresh.access_token)).toBe(200)
})

test('an application of somebody else gets what the person agrees to, and is told if not', async () => {
  const guest = await discover(cluster.origin, 'guest')
  const browser = createBrowser(cluster.origin, nodes())
  const asked = { redirect_uri: 'https://guest.example.com/callback', scope: 'openid profile phone' }
  const first = await begin(guest, asked)
  const page = await browser.go(first.url)
  const consent = await logIn(browser, cluster.origin, page.location, alice)
  expect(consent).toContain('/oidc/interaction/')
  const details = JSON.parse((await browser.go(`${consent}/details`)).text)
  expect(details).toMatchObject({
    prompt: 'consent',
    application: { name: 'Guest book' },
    scopes: ['openid', 'profile', 'phone'],
  })
  expect(errorIn((await browser.go((await begin(guest, { ...asked, prompt: 'none' })).url)).location)).toBe(
    'consent_required',
  )
  const agreed = await browser.post(`${consent}/consent`)
  const { location } = await browser.go(String(agreed.body.location))
  const tokens = await client.authorizationCodeGrant(guest, new URL(location), first.checks)
  expect(tokens.claims()).toMatchObject({ aud: 'guest', name: 'alice' })
  // Nobody is asked twice in one session.
  expect((await browser.go((await begin(guest, asked)).url)).location).toContain('code=')
  const again = await browser.go((await begin(guest, { ...asked, prompt: 'consent' })).url)
  const declined = await browser.post(`${again.location}/abort`)
  expect(errorIn((await browser.go(String(declined.body.location))).location)).toBe('access_denied')
})

test('pushed authorization requests work, once', async () => {
  const { checks } = await begin(wiki)
  const url = await client.buildAuthorizationUrlWithPAR(wiki, {
    redirect_uri: REDIRECT,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
  })
  const browser = createBrowser(cluster.origin, nodes())
  const page = await browser.go(url.href)
  const answer = await logIn(browser, cluster.origin, page.location, alice)
  expect((await client.authorizationCodeGrant(wiki, new URL(answer), checks)).claims()?.aud).toBe('wiki')
  // It goes to the application only while the request can be read.
  expect((await browser.go(url.href)).location).not.toContain('code=')
})

test('tokens are bound to the key of an application that proves one (DPoP)', async () => {
  const browser = createBrowser(cluster.origin, nodes())
  const { url, checks } = await begin(wiki)
  const page = await browser.go(url)
  const answer = await logIn(browser, cluster.origin, page.location, alice)
  const DPoPKeys = await client.randomDPoPKeyPair()
  const DPoP = client.getDPoPHandle(wiki, DPoPKeys)
  const tokens = await client.authorizationCodeGrant(wiki, new URL(answer), checks, undefined, { DPoP })
  expect(tokens.token_type).toBe('dpop')
  expect(await userinfo(tokens.access_token)).toBe(401)
  const fresh = await client.refreshTokenGrant(wiki, tokens.refresh_token ?? '', undefined, { DPoP })
  expect(fresh.token_type).toBe('dpop')
  const sub = fresh.claims()?.sub ?? ''
  expect(await client.fetchUserInfo(wiki, fresh.access_token, sub, { DPoP })).toMatchObject({ name: 'alice' })
  const foreign = client.getDPoPHandle(wiki, await client.randomDPoPKeyPair())
  await expect(client.fetchUserInfo(wiki, fresh.access_token, sub, { DPoP: foreign })).rejects.toThrow()
  // A proof is good for one request, also when it comes twice at once, to two nodes.
  const statuses: number[] = []
  const thief = await discover(cluster.origin, 'wiki')
  thief[client.customFetch] = async (_url, { headers }) => {
    const sent = headers as Record<string, string>
    const answers = await Promise.all(nodes().map((node) => fetch(`${node}/oidc/me`, { headers: sent })))
    const late = await fetch(`${cluster.origin}/oidc/me`, { headers: sent })
    expect(late.headers.get('www-authenticate')).toBe('DPoP error="invalid_token"')
    statuses.push(...answers.map(({ status }) => status), late.status)
    return answers.find(({ ok }) => ok) ?? late
  }
  await client.fetchUserInfo(thief, fresh.access_token, sub, { DPoP: client.getDPoPHandle(thief, DPoPKeys) })
  expect(statuses.sort()).toEqual([200, 401, 401])
})

test('an authorization request may be posted', async () => {
  const { browser } = await enter()
  const { url } = await begin(wiki)
  const form = Object.fromEntries(new URL(url).searchParams)
  for (const origin of ['https://wiki.example.com', 'null', undefined]) {
    const posted = await browser.post(`${cluster.origin}/oidc/auth`, { form, origin })
    expect(posted.status).toBe(303)
    expect((await browser.go(posted.headers.get('location') ?? '')).location).toContain('code=')
  }
  const large = await browser.post(`${cluster.origin}/oidc/auth`, { form: { ...form, state: 'x'.repeat(7_000) } })
  expect(large.status).toBe(413)
})

test('the page of a public application redeems its code itself, and no other page may', async () => {
  const ask = async (from: string, client_id: string) => {
    const form = { grant_type: 'refresh_token', refresh_token: 'none', client_id }
    const { status, headers, body } = await request<{ error: string }>(`${cluster.origin}/oidc/token`, {
      headers: { origin: from },
      form,
    })
    return [status, headers.get('access-control-allow-origin'), body.error]
  }
  expect(await ask('https://board.example.com', 'board')).toEqual([400, 'https://board.example.com', 'invalid_request'])
  expect((await ask('https://evil.example', 'board'))[0]).toBe(403)
  expect((await ask('https://wiki.example.com', 'wiki'))[0]).toBe(403)
  expect((await ask('https://board.example.com', 'web'))[0]).toBe(400)
})

test('response_mode=form_post answers by a page that posts itself, which nobody can frame', async () => {
  const { browser } = await enter()
  const { url } = await begin(wiki, { response_mode: 'form_post' })
  const page = await browser.go(url)
  expect(page.text).toContain(`action="${REDIRECT}"`)
  expect(page.text).toMatch(/name="code" value="[\w-]+"/)
  expect(page.text).toMatch(/name="iss"/)
  expect(page.headers.get('content-security-policy')).toMatch(
    /script-src 'self' 'sha256-[^']+';.*frame-ancestors 'none'/,
  )
})

test('single claims are given if the application may have their scope', async () => {
  const { browser } = await enter()
  const claims = JSON.stringify({ userinfo: { locale: null, phone_number: null } })
  const { url, checks } = await begin(wiki, { scope: 'openid', claims })
  const { location } = await browser.go(url)
  const tokens = await client.authorizationCodeGrant(wiki, new URL(location), checks)
  const told = await client.fetchUserInfo(wiki, tokens.access_token, tokens.claims()?.sub ?? '')
  expect(told).not.toHaveProperty('phone_number')
})

test('an application of the business may ask for a token of the cluster, one of somebody else may not', async () => {
  const { browser, sid } = await enter()
  const { url, checks } = await begin(wiki, { resource: cluster.origin })
  const { location } = await browser.go(url)
  const tokens = await client.authorizationCodeGrant(wiki, new URL(location), checks)
  const { sessions } = (
    await request<{ sessions: { sid: string; current: boolean }[] }>(`${cluster.origin}/v1/sessions`, {
      bearer: tokens.access_token,
    })
  ).body
  expect(sessions.filter(({ current }) => current).map((session) => session.sid)).toEqual([sid])
  const guest = await discover(cluster.origin, 'guest')
  const foreign = await begin(guest, { redirect_uri: 'https://guest.example.com/callback', resource: cluster.origin })
  expect(errorIn((await browser.go(foreign.url)).location)).toBe('invalid_target')
})

test('an application has one refresh token in a session: a new login replaces it within ten minutes', async () => {
  const { browser, tokens } = await enter()
  const { url, checks } = await begin(wiki, { prompt: 'none' })
  const fresh = await client.authorizationCodeGrant(wiki, new URL((await browser.go(url)).location), checks)
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  const [former, present] = await Promise.all(
    [tokens, fresh].map(({ refresh_token = '' }) =>
      data.ttl(keys.oidc('RefreshToken', hash('sha256', refresh_token, 'base64url'))),
    ),
  )
  await close()
  expect(former).toBeLessThanOrEqual(600)
  expect(present).toBeGreaterThan(600)
  expect((await client.refreshTokenGrant(wiki, fresh.refresh_token ?? '')).refresh_token).toBeDefined()
})

test('whatever races with the end of all sessions, nothing of them lives on', async () => {
  const frank = await phoneToken(cluster.origin, 'frank')
  for (let i = 0; i < 20; i++) {
    const { browser } = await enter(frank)
    const first = await begin(wiki)
    const answer = (await browser.go(first.url)).location
    const [granted, , entered] = await Promise.all([
      client.authorizationCodeGrant(wiki, new URL(answer), first.checks).catch(() => undefined),
      request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: frank }),
      begin(wiki).then(async ({ url, checks }) => ({ checks, location: (await browser.go(url)).location })),
    ])
    const late = entered.location.includes('code=')
      ? await client.authorizationCodeGrant(wiki, new URL(entered.location), entered.checks).catch(() => undefined)
      : undefined
    for (const tokens of [granted, late]) {
      if (!tokens) continue
      expect(await userinfo(tokens.access_token)).toBe(401)
      expect(await errorOf(client.refreshTokenGrant(wiki, tokens.refresh_token ?? ''))).toBe('invalid_grant')
    }
    expect((await browser.go((await begin(wiki)).url)).location).toContain('/oidc/interaction/')
    expect(await sessionsOf(frank)).toEqual([])
  }
})

test('the record of what happened names the applications, and the one session', async () => {
  const gina = await phoneToken(cluster.origin, 'gina')
  const { browser, sid } = await enter(gina)
  const board = await discover(cluster.origin, 'board', {}, true)
  const { url, checks } = await begin(board, { redirect_uri: 'https://board.example.com/' })
  await client.authorizationCodeGrant(board, new URL((await browser.go(url)).location), checks)
  const entries = await until(
    async () =>
      (
        await request<{ entries: { kind: string; client?: string; sid?: string }[] }>(
          `${cluster.origin}/v1/me/activity?limit=100`,
          { bearer: gina },
        )
      ).body.entries,
    // Nodes write what they noted in their own time.
    (all) => all.filter(({ kind }) => kind === 'application.entered' || kind === 'login.redeemed').length === 3,
  )
  const told = entries.map((entry) => [entry.kind, entry.client, entry.sid])
  expect(told).toContainEqual(['login.redeemed', 'wiki', sid])
  expect(told).toContainEqual(['application.entered', 'wiki', sid])
  expect(told).toContainEqual(['application.entered', 'board', sid])
})

test('where a person may have one session only, scanning again begins another one', async () => {
  const env = { SAOMA_CLIENTS: testClients, SAOMA_SESSIONS_PER_PERSON: '1' }
  const single = await startCluster({ nodes: 1, env })
  const config = await discover(single.origin, 'wiki')
  const phone = await phoneToken(single.origin, 'alice')
  const browser = createBrowser(single.origin)
  const sids: unknown[] = []
  for (const more of [{ prompt: 'select_account' }, { prompt: 'login' }]) {
    const { url, checks } = await begin(config, more)
    const page = await browser.go(url)
    const answer = await logIn(browser, single.origin, page.location, phone)
    const tokens = await client.authorizationCodeGrant(config, new URL(answer), checks)
    sids.push(tokens.claims()?.sid)
  }
  expect(new Set(sids).size).toBe(2)
  const { body } = await request<{ sessions: { sid: string }[] }>(`${single.origin}/v1/sessions`, { bearer: phone })
  expect(body.sessions.map(({ sid }) => sid)).toEqual([sids[1]])
  await single.stop()
})
