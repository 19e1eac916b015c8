import { createPlaces } from '@saoma/redis'
import {
  createTicket,
  onCleanup,
  redeem,
  refresh,
  request,
  scan,
  startRedis,
  startRedisCluster,
  until,
} from '@saoma/testing'
import { allowanceKeysOf } from '../src/live/allowance.ts'
import { expectNoSentence, expectNothingElse, owner } from './left-of-person.ts'
import { admin, type Company, live, openCompany, type Person, phoneOf, SECRET, tracesOf } from './person-life.ts'
import { openRedisSearch, placesOf, type RedisSearch } from './redis-search.ts'
import { SECRET as CLIENT_SECRET, createBrowser, deskClient, logIn, REDIRECT, testClients } from './relying-party.ts'

/* A deletion leaves of a person what docs/operate.md names, as long as it says, and nothing else (D107). */

const topologies = {
  standalone: async () => (await startRedis()).url,
  cluster: async () => (await startRedisCluster()).url,
}

const ofWiki = { client_id: 'wiki', client_secret: CLIENT_SECRET }
const renewWiki = (origin: string, refresh_token = '') =>
  request<{ refresh_token: string }>(`${origin}/oidc/token`, {
    form: { grant_type: 'refresh_token', refresh_token, ...ofWiki },
  })

/** Somebody enters two applications, one of which asks for single claims. Resolves with a refresh token. */
const enterApplications = async ({ nodes: [a, b] }: Company, phone: string): Promise<string> => {
  const origin = 'http://company.test'
  const browser = createBrowser(origin, [a.origin, b.origin])
  const ask = (more: Record<string, string>) =>
    `${origin}/oidc/auth?${new URLSearchParams({ response_type: 'code', ...more })}`
  const wiki = ask({ client_id: 'wiki', redirect_uri: REDIRECT, scope: 'openid profile', nonce: 'n' })
  const answer = await logIn(browser, a.origin, (await browser.go(wiki)).location, phone)
  const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
  const guest = { client_id: 'guest', redirect_uri: 'https://guest.example.com/callback', scope: 'openid', claims }
  const consent = await browser.go(ask(guest))
  const agreed = await browser.post(`${consent.location}/consent`)
  expect((await browser.go(String(agreed.body.location))).location).toContain('code=')
  const code = new URL(answer).searchParams.get('code') ?? ''
  const { body } = await request<{ refresh_token: string }>(`${b.origin}/oidc/token`, {
    form: { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, ...ofWiki },
  })
  return body.refresh_token
}

describe.each(Object.keys(topologies) as (keyof typeof topologies)[])('with a %s Redis', (topology) => {
  let company: Company
  let search: RedisSearch

  beforeAll(async () => {
    const url = await topologies[topology]()
    company = await openCompany(url, {
      SAOMA_LIMIT_PERSON_MESSAGES: '20',
      SAOMA_CLIENTS: JSON.stringify([...JSON.parse(testClients), deskClient]),
    })
    search = await openRedisSearch(url, SECRET)
  })

  /** Resolves when the nodes have written what they noted of a person. */
  const untilNoted = ({ sub }: Person, kind: string, count: number) =>
    until(
      () => admin<{ entries: unknown[] }>(company.nodes[0], 'GET', `/audit?person=${sub}&kind=${kind}`),
      ({ body }) => body.entries.length >= count,
    )

  test('nothing personal is left of who was deleted, and of others nothing is lost', async () => {
    const [a, b] = company.nodes
    const ann = await live(company, 'ann')
    const bob = await live(company, 'bob')
    const tokensOf = new Map<string, string>()
    for (const { sub, phone } of [ann, bob]) tokensOf.set(sub, await enterApplications(company, phone))
    // An application asks their phones.
    for (const { sub } of [ann, bob]) {
      const asked = { client_id: 'desk', client_secret: CLIENT_SECRET, scope: 'openid', login_hint: sub }
      expect(await request(`${a.origin}/oidc/backchannel`, { form: asked })).toMatchObject({ status: 200 })
    }
    const places = createPlaces(search.redis, { name: 'follows', nodeId: 'a', limit: 500, free: 0 })
    onCleanup(places.close)
    for (const { sub } of [ann, bob]) await places.enter(`saoma ${sub}`)
    // One for each ticket, so that the audit names all of them. Nobody scans the application’s request.
    for (const person of [ann, bob]) await untilNoted(person, 'login.scanned', 6)
    const before = await search.read([ann.sub, bob.sub])
    // Else the search would find nothing, whatever is there.
    for (const trace of tracesOf(ann)) expect([trace, placesOf(before, [trace])]).not.toEqual([trace, []])
    const hashed = allowanceKeysOf(search.redis.keys, ann.sub)
    expect(hashed.filter((name) => before.has(name)).length).toBeGreaterThanOrEqual(2)
    const ofBob = placesOf(before, tracesOf(bob))
    expect(placesOf(before, [ann.sub]).length).toBeGreaterThan(15)

    expect(await admin(a, 'DELETE', `/accounts/${ann.sub}`)).toMatchObject({
      status: 200,
      body: { sub: ann.sub, state: 'deleted', ended: 2 },
    })
    expect(await ann.live.next('ended')).toEqual({ code: 'REVOKED' })
    // Presence goes with the sockets, a moment later.
    await until(
      () => search.read([ann.sub, bob.sub]),
      (contents) => !placesOf(contents, [ann.sub]).some((name) => /:people|:node:/.test(name)),
    )

    // Whatever the person tries now gives nothing, and leaves nothing.
    expect((await refresh(b.origin, ann.page.refresh_token)).status).toBe(400)
    expect((await renewWiki(b.origin, tokensOf.get(ann.sub))).status).toBe(400)
    expect((await redeem(b.origin, ann.confirmed)).status).toBe(400)
    await untilNoted(ann, 'account.deleted', 1)
    // Also when the audit takes entries of this person again.
    const marks = [...(await search.read([])).keys()].filter((name) => name.endsWith(`:erased:${owner(ann.sub)}`))
    expect(marks).toHaveLength(1)
    await search.redis.data.del(...marks)
    for (const path of ['/v1/sessions', '/v1/me/activity', '/v1/channels/@user/messages'])
      expect(await request(`${b.origin}${path}`, { bearer: ann.phone })).toMatchObject({ body: { code: 'REVOKED' } })
    expect(await scan(a.origin, ann.scanned.slice(0, 22), ann.phone)).toMatchObject({ body: { code: 'REVOKED' } })
    await admin(a, 'GET', `/accounts/${bob.sub}/export`)
    await untilNoted(bob, 'admin.acted', 1)
    expect(await admin(b, 'GET', `/accounts/${ann.sub}`)).toMatchObject({
      body: { state: 'deleted', claims: {}, identities: [] },
    })

    const after = await search.read([ann.sub, bob.sub])
    expectNothingElse(after, ann)
    // The audit named all of them.
    const tickets = placesOf(before, [ann.sub]).filter((each) => each.startsWith('saoma:ticket:'))
    expect(tickets.length).toBeGreaterThan(3)
    expect(tickets.filter((each) => after.has(each))).toEqual([])
    expect(hashed.filter((name) => after.has(name))).toEqual([])
    const { sub, openid, unionid, number, name } = ann
    const account = after.get(`saoma:account:{${sub}}`)?.texts
    expect(account).toEqual([`saoma:account:{${sub}}`, 'state', 'deleted'])
    for (const trace of [openid, unionid, number]) expect([trace, placesOf(after, [trace])]).toEqual([trace, []])
    expect(placesOf(after, [name])).toEqual([])
    const { body } = await admin<{ entries: { kind: string }[] }>(a, 'GET', `/audit?person=${sub}`)
    expect(body.entries.map(({ kind }) => kind)).toEqual(['account.deleted'])

    const lost = ofBob.filter((each) => !after.has(each))
    expect(lost.filter((each) => !each.startsWith('saoma:rate:'))).toEqual([])
    expect((await refresh(b.origin, bob.page.refresh_token)).status).toBe(200)
    expect((await renewWiki(b.origin, tokensOf.get(bob.sub))).status).toBe(200)
  })

  test('the tickets go that another node has seen a moment before', async () => {
    const [a, b] = company.nodes
    const { sub, phone } = await live(company, 'zoe')
    const { ticket, user_code } = await createTicket(b.origin)
    await request(`${b.origin}/v1/user-codes/${user_code}`, { bearer: phone })
    await scan(b.origin, ticket, phone)
    const [at = ''] = placesOf(await search.read([sub]), [ticket]).filter((name) => name.startsWith('saoma:ticket:'))
    expect(at).toContain(ticket)
    await admin(a, 'DELETE', `/accounts/${sub}`)
    expect(await search.redis.data.exists(at)).toBe(0)
  })

  test('why somebody was disabled is forgotten with them, except by the token that tells it for a day', async () => {
    const [a, b] = company.nodes
    const eve = await live(company, 'eve')
    const reason = 'Eve, please ask at the desk.'
    expect(await admin(a, 'POST', `/accounts/${eve.sub}/disable`, { reason })).toMatchObject({ body: { ended: 1 } })
    await untilNoted(eve, 'account.disabled', 1)
    const before = placesOf(await search.read([eve.sub]), [reason])
    expect(before.filter((name) => name.startsWith('saoma:audit:'))).toHaveLength(1)
    const [token = ''] = before.filter((name) => name.startsWith('saoma:oidc:RefreshToken:'))
    expect(await search.redis.data.pttl(token)).toBeGreaterThan(600_000)
    expect(await admin(b, 'DELETE', `/accounts/${eve.sub}`)).toMatchObject({ status: 200, body: { state: 'deleted' } })
    const after = await search.read([eve.sub])
    expectNoSentence(after, reason)
    expect(after.get(token)?.texts.join()).not.toContain(eve.sub)
    await until(
      () => search.read([eve.sub]),
      (contents) => !placesOf(contents, [eve.sub]).some((name) => /:people|:node:/.test(name)),
    )
    expectNothingElse(await search.read([eve.sub]), eve)
  })

  test('it may be repeated, also by two administrators at once, and an unknown id is none', async () => {
    const [a, b] = company.nodes
    const cyd = await live(company, 'cyd')
    const both = await Promise.all([a, b].map((node) => admin(node, 'DELETE', `/accounts/${cyd.sub}`)))
    expect(both.map(({ status, body }) => [status, (body as { state: string }).state])).toEqual([
      [200, 'deleted'],
      [200, 'deleted'],
    ])
    expect(both.reduce((sum, { body }) => sum + (body as { ended: number }).ended, 0)).toBe(1)
    expect(await admin(b, 'DELETE', `/accounts/${cyd.sub}`)).toMatchObject({ body: { state: 'deleted', ended: 0 } })
    await until(
      () => search.read([cyd.sub]),
      (contents) => !placesOf(contents, [cyd.sub]).some((name) => /:people|:node:/.test(name)),
    )
    expectNothingElse(await search.read([cyd.sub]), cyd)
    expect(await admin(a, 'DELETE', '/accounts/nobody')).toMatchObject({
      status: 200,
      body: { sub: 'nobody', state: 'unknown', ended: 0 },
    })
    // Who comes again is somebody else.
    expect((await phoneOf(company, 'cyd')).status).toBe(200)
    const found = await admin<{ accounts: { sub: string }[] }>(
      a,
      'GET',
      `/accounts?provider=wechat&union=${encodeURIComponent(cyd.unionid)}`,
    )
    expect(found.body.accounts).toHaveLength(1)
    expect(found.body.accounts[0]?.sub).not.toBe(cyd.sub)
  })
})
