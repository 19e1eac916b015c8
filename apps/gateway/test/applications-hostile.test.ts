import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedis, type RedisClients } from '@saoma/redis'
import { type Cluster, onCleanup, phoneToken, request, startCluster, until } from '@saoma/testing'
import * as client from 'openid-client'
import {
  type Browser,
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

/* What a second reader would try: each step on the other node, with a Redis that says no in the middle. */

type Entry = Record<string, unknown> & { client_id: string }
const others = JSON.parse(testClients) as Entry[]
const entries: Entry[] = [
  ...others,
  {
    ...others.find(({ client_id }) => client_id === 'guest'),
    client_id: 'stranger',
    redirect_uris: ['https://stranger.example.com/'],
    scope: 'openid profile',
  },
  {
    client_id: 'spa',
    client_name: 'Page',
    type: 'public',
    party: 'first',
    redirect_uris: ['https://spa.example.com/'],
    grant_types: ['authorization_code', 'refresh_token'],
  },
]

let cluster: Cluster
let redis: RedisClients
let file: string
let alice: string
let bob: string
const nodes = () => cluster.nodes.map(({ origin }) => origin)
const newBrowser = () => createBrowser(cluster.origin, nodes())

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-hostile-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  file = join(folder, 'clients.json')
  await writeFile(file, JSON.stringify(entries))
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: file } })
  redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  alice = await phoneToken(cluster.origin, 'alice')
  bob = await phoneToken(cluster.origin, 'bob')
})
afterAll(async () => {
  await redis.close()
  await cluster.stop()
})

const verifier = 'v'.repeat(43)
const ask = async (more: Record<string, string> = {}) =>
  `${cluster.origin}/oidc/auth?${new URLSearchParams({
    client_id: 'wiki',
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid profile',
    state: 'state',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  })}`
const codeIn = (location: string) => new URL(location).searchParams.get('code') ?? ''
const exchange = (code: string, more: Record<string, string> = {}, origin = cluster.origin) =>
  request<Record<string, string>>(`${origin}/oidc/token`, {
    form: {
      ...{ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier },
      ...{ client_id: 'wiki', client_secret: SECRET },
      ...more,
    },
  })
const renew = (token = '', more: Record<string, string> = {}) =>
  request<Record<string, string>>(`${cluster.origin}/oidc/token`, {
    form: {
      ...{ grant_type: 'refresh_token', refresh_token: token, client_id: 'wiki', client_secret: SECRET },
      ...more,
    },
  })
const userinfo = (token = '') => request<Record<string, string>>(`${cluster.origin}/oidc/me`, { bearer: token })

/** A browser in which somebody has just scanned for the wiki, and the address at which the wiki is told. */
const enter = async (phone = alice): Promise<{ browser: Browser; answer: string }> => {
  const browser = newBrowser()
  const page = await browser.go(await ask())
  return { browser, answer: await logIn(browser, cluster.origin, page.location, phone) }
}

/** All nodes have read the list. */
const register = async (list: readonly Entry[], isTaken: () => Promise<boolean>): Promise<void> => {
  await writeFile(file, JSON.stringify(list))
  await until(isTaken, Boolean)
}
const changed = (id: string, more: Record<string, unknown>): Entry[] =>
  entries.map((entry) => (entry.client_id === id ? { ...entry, ...more } : entry))
/** The status with which each node answers. */
const statuses = async (path: string): Promise<number[]> =>
  Promise.all(nodes().map(async (node) => (await fetch(`${node}${path}`, { redirect: 'manual' })).status))

test('another host of the domain cannot put a finished login into a browser', async () => {
  const attacker = newBrowser()
  const page = await attacker.go(await ask())
  const token = await scanned(cluster.origin, loginClientAt(page.location), bob)
  const done = await attacker.post(`${page.location}/login`, { bearer: token })
  const victim = newBrowser()
  // The victim has been here before.
  await victim.go(await ask())
  for (const [name, cookie] of attacker.cookies)
    if (!name.startsWith('saoma_browser')) (victim.cookies as Map<string, object>).set(name, cookie)
  expect((await victim.go(`${page.location}/details`)).status).toBe(404)
  const put = await victim.go(String(done.body.location))
  expect([put.status, put.location]).toEqual([400, String(done.body.location)])
  expect((await victim.go(await ask())).location).toContain('/oidc/interaction/')
  // For the browser that began it, it goes on.
  expect((await attacker.go(String(done.body.location))).location).toContain('code=')
})

test.each([
  ['a claim that is a text', { id_token: { sub: 'alice' } }, 'invalid_request'],
  ['a claim that is a list', { userinfo: { name: [] } }, 'invalid_request'],
  [
    'an acr that is a number',
    { id_token: { acr: { essential: true, value: 1 } } },
    'unmet_authentication_requirements',
  ],
  ['no acr at all', { id_token: { acr: { essential: true, values: [] } } }, 'unmet_authentication_requirements'],
])('a request for %s is refused, and asks nobody to scan for ever', async (_what, claims, error) => {
  expect(errorIn((await newBrowser().go(await ask({ claims: JSON.stringify(claims) }))).location)).toBe(error)
})

test('if another person than the expected one scans, the application is told', async () => {
  const { answer } = await enter()
  const { body } = await exchange(codeIn(answer))
  const { sub } = JSON.parse(Buffer.from(body.id_token?.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }
  const claims = JSON.stringify({ id_token: { sub: { value: sub } } })
  for (const more of [{ id_token_hint: body.id_token ?? '' }, { claims }] as Record<string, string>[]) {
    const browser = newBrowser()
    const page = await browser.go(await ask(more))
    expect(errorIn(await logIn(browser, cluster.origin, page.location, bob))).toBe('login_required')
    const other = newBrowser()
    const again = await other.go(await ask(more))
    expect(await logIn(other, cluster.origin, again.location, alice)).toContain('code=')
  }
})

test('whoever has an old cookie fills nothing', async () => {
  const { browser } = await enter()
  const { body } = await request<{ sessions: { sid: string }[] }>(`${cluster.origin}/v1/sessions`, { bearer: alice })
  for (const { sid } of body.sessions)
    await request(`${cluster.origin}/v1/sessions/${sid}`, { method: 'DELETE', bearer: alice })
  const count = async () => (await redis.data.keys('saoma:oidc:*')).length
  const old = [...browser.cookies]
  expect(errorIn((await browser.go(await ask({ prompt: 'none' }))).location)).toBe('login_required')
  const before = await count()
  for (let i = 0; i < 5; i++) {
    for (const [name, cookie] of old) (browser.cookies as Map<string, object>).set(name, cookie)
    await browser.go(await ask({ prompt: 'none' }))
  }
  expect(await count()).toBe(before)
})

test('a pushed request is as short as an address, and a long state comes back whole', async () => {
  const push = async (state: string) =>
    request<{ request_uri: string; error: string }>(`${cluster.origin}/oidc/request`, {
      form: { ...Object.fromEntries(new URL(await ask()).searchParams), client_secret: SECRET, state },
    })
  const long = await push('x'.repeat(20_000))
  expect([long.status, long.body.error]).toEqual([400, 'invalid_request'])
  const state = 'x'.repeat(4_000)
  const { browser } = await enter()
  const { request_uri } = (await push(state)).body
  const pushed = `${cluster.origin}/oidc/auth?${new URLSearchParams({ client_id: 'wiki', request_uri })}`
  expect(new URL((await browser.go(pushed)).location).searchParams.get('state')).toBe(state)
  // Once.
  expect(errorIn((await browser.go(pushed)).location)).toMatch(/^(invalid_request_uri|no error)/)
  expect((await browser.go(pushed)).location).not.toContain('code=')
})

/** Nodes may not write records of this kind until the work is done. */
const withoutWrites = async <T>(model: string, work: () => Promise<T>): Promise<T> => {
  const others = Array.from({ length: model.length }, (_, i) => `~saoma:oidc:${model.slice(0, i)}[^${model[i]}]*`)
  await redis.data.acl('SETUSER', 'default', 'resetkeys', '%R~*', '~saoma:[^o]*', ...others)
  try {
    return await work()
  } finally {
    await redis.data.acl('SETUSER', 'default', 'allkeys')
  }
}

test.each(['Session', 'AuthorizationCode', 'Grant'])(
  'if Redis takes no %s when the browser returns, the page tries again by itself, and the person is in',
  async (model) => {
    const browser = newBrowser()
    // Once in a new browser, and once where somebody is logged in.
    for (const more of [{}, { prompt: 'login' }] as Record<string, string>[]) {
      const page = await browser.go(await ask(more))
      const token = await scanned(cluster.origin, loginClientAt(page.location), alice)
      const { location } = (await browser.post(`${page.location}/login`, { bearer: token })).body
      const failed = await withoutWrites(model, () => browser.go(String(location)))
      expect([failed.status, failed.headers.get('refresh'), failed.headers.get('location')]).toEqual([503, '3', null])
      const back = await browser.go(String(location))
      expect((await exchange(codeIn(back.location))).status).toBe(200)
      // Now it is over.
      expect((await browser.go(String(location))).status).toBe(400)
    }
  },
)

test('if Redis takes no session when another person comes, the former one stays until it does', async () => {
  const { browser } = await enter()
  const page = await browser.go(await ask({ prompt: 'login' }))
  const token = await scanned(cluster.origin, loginClientAt(page.location), bob)
  const { location } = (await browser.post(`${page.location}/login`, { bearer: token })).body
  const form = await browser.go(String(location))
  const action = /action="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const confirm = () => browser.post(action, { form: { xsrf, logout: 'yes' } })
  await redis.data.acl('SETUSER', 'default', 'resetkeys', '%R~*', '~saoma:[^s]*')
  const failed = await confirm()
  await redis.data.acl('SETUSER', 'default', 'allkeys')
  expect(failed.status).toBe(503)
  expect((await confirm()).status).toBe(303)
  expect((await browser.go(String(location))).location).toContain('code=')
})

test('if Redis takes no refresh token, the code is not used up', async () => {
  const { answer } = await enter()
  const failed = await withoutWrites('RefreshToken', () => exchange(codeIn(answer)))
  expect([failed.status, failed.body.error]).toEqual([503, 'temporarily_unavailable'])
  const granted = await exchange(codeIn(answer))
  expect(granted.status).toBe(200)
  expect((await userinfo(granted.body.access_token)).status).toBe(200)
  expect((await exchange(codeIn(answer))).status).toBe(400)
  expect((await userinfo(granted.body.access_token)).status).toBe(401)
})

test('the person is not asked for what the application cannot get', async () => {
  const { browser } = await enter()
  const claims = JSON.stringify({ userinfo: { phone_number: null, locale: null } })
  const page = await browser.go(
    await ask({ client_id: 'stranger', redirect_uri: 'https://stranger.example.com/', claims }),
  )
  const details = JSON.parse((await browser.go(`${page.location}/details`)).text)
  expect(details).toMatchObject({ prompt: 'consent', claims: ['locale'] })
})

test('two tabs that finish one login at once are one login', async () => {
  for (let i = 0; i < 5; i++) {
    const browser = newBrowser()
    const page = await browser.go(await ask())
    const clientId = loginClientAt(page.location)
    const tokens = [await scanned(cluster.origin, clientId, alice), await scanned(cluster.origin, clientId, alice)]
    const done = await Promise.all(tokens.map((bearer) => browser.post(`${page.location}/login`, { bearer })))
    const returns = done.filter(({ status }) => status === 200).map(({ body }) => String(body.location))
    expect(returns.length).toBeGreaterThanOrEqual(1)
    const ends = await Promise.all(returns.map((location) => browser.go(location)))
    for (const { status } of ends) expect([200, 303, 400]).toContain(status)
    const codes = ends.map(({ location }) => codeIn(location)).filter(Boolean)
    expect(codes.length).toBeGreaterThanOrEqual(1)
    for (const code of codes) expect((await userinfo((await exchange(code)).body.access_token)).status).toBe(200)
  }
})

test('a key that a page has proven is asked for at each refresh, and a proof counts once', async () => {
  const config = await discover(cluster.origin, 'spa', {}, true)
  const { browser } = await enter()
  const redirect_uri = 'https://spa.example.com/'
  const { location } = await browser.go(await ask({ client_id: 'spa', redirect_uri }))
  const keys = await client.randomDPoPKeyPair()
  const checks = { pkceCodeVerifier: verifier, expectedState: 'state' }
  const DPoP = client.getDPoPHandle(config, keys)
  const { refresh_token = '' } = await client.authorizationCodeGrant(config, new URL(location), checks, {}, { DPoP })
  const bare = await renew(refresh_token, { client_id: 'spa', client_secret: '' })
  expect([bare.status, bare.body.error]).toEqual([400, 'invalid_grant'])
  const foreign = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  await expect(client.refreshTokenGrant(config, refresh_token, {}, { DPoP: foreign })).rejects.toMatchObject({
    error: 'invalid_grant',
  })
  // The proof of a request is taken by somebody on the way, and used at the other node.
  let proof = ''
  config[client.customFetch] = (url, { headers, ...init }) => {
    proof = String((headers as Record<string, string>).dpop ?? '')
    return fetch(url, { headers, ...init } as RequestInit)
  }
  const fresh = await client.refreshTokenGrant(config, refresh_token, {}, { DPoP })
  const replayed = await request<{ error: string }>(`${cluster.origin}/oidc/token`, {
    headers: { DPoP: proof },
    form: { grant_type: 'refresh_token', refresh_token: fresh.refresh_token ?? '', client_id: 'spa' },
  })
  expect([proof === '', replayed.status, replayed.body.error]).toEqual([false, 400, 'invalid_grant'])
})

test('an application that logs somebody in again and again is noted once a day', async () => {
  const hal = await phoneToken(cluster.origin, 'hal')
  const { browser } = await enter(hal)
  const [node = ''] = nodes()
  const board = { client_id: 'board', redirect_uri: 'https://board.example.com/' }
  for (let i = 0; i < 3; i++) {
    const { location } = await browser.go(await ask({ ...board, prompt: 'none' }))
    expect((await exchange(codeIn(location), { ...board, client_secret: '' }, node)).status).toBe(200)
  }
  // A node writes what it noted in this order.
  await request(`${node}/v1/sessions`, { method: 'DELETE', bearer: hal })
  const entries = await until(
    async () =>
      (
        await request<{ entries: { kind: string; client?: string }[] }>(`${cluster.origin}/v1/me/activity?limit=100`, {
          bearer: hal,
        })
      ).body.entries,
    (all) => all.some(({ kind }) => kind === 'session.ended'),
  )
  const entered = entries.filter(({ kind, client: who }) => kind === 'application.entered' && who === 'board')
  expect(entered).toHaveLength(1)
})

test('what is taken away in the list of applications is gone at the next step', async () => {
  const mine = 'https://wiki.example.com/new'
  const gone = await (async () => {
    const browser = newBrowser()
    const page = await browser.go(await ask())
    return { browser, page: page.location, token: await scanned(cluster.origin, loginClientAt(page.location), alice) }
  })()
  const { browser, answer } = await enter()
  const first = await exchange(codeIn(answer))
  const second = (await browser.go(await ask())).location
  expect((await userinfo(first.body.access_token)).body.name).toBe('alice')

  // Another address, and fewer scopes.
  const fewer = changed('wiki', { redirect_uris: [mine], scope: 'openid' })
  const query = new URL(await ask({ prompt: 'none' })).search
  await register(fewer, async () => (await statuses(`/oidc/auth${query}`)).every((status) => status === 400))
  const { location } = (await gone.browser.post(`${gone.page}/login`, { bearer: gone.token })).body
  const refused = await gone.browser.go(String(location))
  expect([refused.status, refused.location]).toEqual([400, String(location)])
  const renewed = await renew(first.body.refresh_token)
  expect(renewed.body).toMatchObject({ scope: 'openid' })
  expect(Object.keys((await userinfo(renewed.body.access_token)).body)).toEqual(['sub'])
  expect(Buffer.from(renewed.body.id_token?.split('.')[1] ?? '', 'base64url').toString()).not.toContain('alice')

  // The application itself, between its code and its tokens.
  const without = entries.filter(({ client_id }) => client_id !== 'wiki')
  const asked = new URL(await ask({ redirect_uri: mine, scope: 'openid', prompt: 'none' })).search
  await register(without, async () => (await statuses(`/oidc/auth${asked}`)).every((status) => status === 400))
  expect((await exchange(codeIn(second))).status).toBe(401)
  expect((await renew(renewed.body.refresh_token)).status).toBe(401)
  await register(entries, async () => (await statuses(`/oidc/auth${query}`)).every((status) => status === 303))
})
