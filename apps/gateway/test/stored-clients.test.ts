import { createKeys } from '@saoma/redis'
import { until } from '@saoma/testing'
import * as oidc from 'openid-client'
import { createClientStore } from '../src/access/client-store.ts'
import { openOperator } from './fixtures.ts'
import { begin, createBrowser, errorOf, logIn, REDIRECT, reasonIn, SECRET } from './relying-party.ts'
import { CLUSTER_SECRET, reader, registration, startStoredClientsStage, TO } from './stored-clients-stage.ts'

/* Registered applications that are kept in Redis, beside those of the file. Each step is on another node. */

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const CIBA = 'urn:openid:params:grant-type:ciba'
const stage = await startStoredClientsStage()
const { cluster, redis, alice, nodes, admin, make, discover, scan, refreshAt, userinfo, entries } = stage

test('one that is made on a node logs people in through all of them, beside those of the file', async () => {
  const secret = await make('stored')
  const config = await discover('stored', secret)
  const { answer, checks } = await scan(config)
  const tokens = await oidc.authorizationCodeGrant(config, answer, checks)
  expect(tokens.claims()).toMatchObject({ aud: 'stored', name: 'alice' })
  const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '')
  expect(await userinfo(fresh.access_token)).toBe(200)
  const wiki = await discover('wiki', SECRET)
  const ofFile = await scan(wiki)
  expect((await oidc.authorizationCodeGrant(wiki, ofFile.answer, ofFile.checks)).claims()?.aud).toBe('wiki')

  const { body } = await admin(1).list()
  expect(body.clients.map(({ client_id, source }) => `${client_id} ${source}`)).toEqual(
    expect.arrayContaining(['stored redis', 'wiki file']),
  )
  expect(JSON.stringify(body)).not.toMatch(/secret/)
  expect((await admin(1).read('stored')).body).toMatchObject({ client: registration('stored'), madeBy: 'admin' })
  const kept = JSON.stringify(await redis.data.hgetall(createKeys('saoma').clients()))
  expect(kept).toContain('stored')
  expect(kept).not.toContain(secret)
  expect(await entries('client.made', 1)).toEqual([
    expect.objectContaining({ client: 'stored', key: 'admin', by: 'backend' }),
  ])
})

test('of a new secret the former one is good for a while, and with no overlap for none', async () => {
  const first = await make('turned')
  const second = (await admin(1).rotate('turned')).body.client_secret ?? ''
  const before = await scan(await discover('turned', first))
  expect(
    (await oidc.authorizationCodeGrant(await discover('turned', first), before.answer, before.checks)).claims()?.aud,
  ).toBe('turned')
  expect((await admin().read('turned')).body.formerUntil).toEqual(expect.any(String))
  const third = (await admin(1).rotate('turned', { overlapSeconds: 0 })).body.client_secret ?? ''
  for (const [secret, error] of [
    [first, 'invalid_client'],
    [second, 'invalid_client'],
    [third, 'invalid_grant'],
  ] as const)
    expect(
      await until(
        async () => (await refreshAt(0, 'turned', secret, 'x'.repeat(65))).error,
        (got) => got === error,
      ),
    ).toBe(error)
  expect((await refreshAt(1, 'turned', first, 'x'.repeat(65))).error).toBe('invalid_client')
  expect(await entries('client.rotated', 2)).toHaveLength(2)
})

test('a redirect address that is taken away while somebody scans gets no code', async () => {
  const config = await discover('moved', await make('moved'))
  const browser = createBrowser(cluster.origin, nodes())
  const { url } = await begin(config, TO)
  const { location } = await browser.go(url)
  const other = 'https://elsewhere.example.com/callback'
  const changed = await admin().change('moved', { redirect_uris: [other], logo_uri: null })
  expect(changed.body).toMatchObject({ client: { redirect_uris: [other], client_name: 'The moved' } })
  // The same again changes nothing.
  await admin().change('moved', { redirect_uris: [other] })
  await until(
    async () => (await fetch(url, { redirect: 'manual' })).status,
    (status) => status === 400,
  )
  expect(await logIn(browser, cluster.origin, location, alice)).not.toContain('code=')
  expect(await entries('client.changed', 1)).toHaveLength(1)
})

test('a single claim goes with its scope, also where it was given before', async () => {
  const secret = await make('curious')
  const config = await discover('curious', secret)
  const claims = JSON.stringify({ id_token: { name: null }, userinfo: { name: null } })
  const asked = { ...TO, scope: 'openid offline_access', claims }
  const browser = createBrowser(cluster.origin, nodes())
  const { url, checks } = await begin(config, asked)
  const { location } = await browser.go(url)
  const answer = new URL(await logIn(browser, cluster.origin, location, alice))
  const before = await oidc.authorizationCodeGrant(config, answer, checks)
  const told = () => oidc.fetchUserInfo(config, before.access_token, before.claims()?.sub ?? '')
  expect(before.claims()).toHaveProperty('name')
  expect(await told()).toHaveProperty('name')

  await admin().change('curious', { scope: 'openid offline_access' })
  await until(
    async () => [await told(), await told()],
    (both) => both.every((claims) => !('name' in claims)),
  )
  const refreshed = await oidc.refreshTokenGrant(config, before.refresh_token ?? '')
  expect(refreshed.claims()).not.toHaveProperty('name')
  const again = await begin(config, asked)
  const second = new URL((await browser.go(again.url)).location)
  const after = await oidc.authorizationCodeGrant(config, second, again.checks)
  expect(after.claims()).not.toHaveProperty('name')
})

test('what was given to a removed application is worth nothing, also to another one with its id', async () => {
  const former = await make('again', { party: 'third' })
  const config = await discover('again', former)
  const agree = async (browser = createBrowser(cluster.origin, nodes()), from = config) => {
    const { url, checks } = await begin(from, TO)
    let at = (await browser.go(url)).location
    if (JSON.parse((await browser.go(`${at}/details`)).text).prompt === 'login')
      at = await logIn(browser, cluster.origin, at, alice)
    expect(JSON.parse((await browser.go(`${at}/details`)).text)).toMatchObject({ prompt: 'consent' })
    const { body } = await browser.post(`${at}/consent`)
    return { browser, checks, answer: new URL((await browser.go(String(body.location))).location) }
  }
  const { browser, answer, checks } = await agree()
  const tokens = await oidc.authorizationCodeGrant(config, answer, checks)
  // Another code, which nobody has redeemed.
  const silent = await begin(config, TO)
  const waiting = new URL((await browser.go(silent.url)).location)
  expect(waiting.searchParams.get('code')).toBeTruthy()
  expect(await userinfo(tokens.access_token)).toBe(200)

  expect((await admin().remove('again')).body).toEqual({ client_id: 'again', removed: true })
  expect((await admin().remove('again')).body).toEqual({ client_id: 'again', removed: false })
  expect(await userinfo(tokens.access_token, 0)).toBe(401)
  const later = await make('again', { party: 'third' })
  expect(later).not.toBe(former)
  expect(await errorOf(oidc.authorizationCodeGrant(config, waiting, silent.checks))).toBe('invalid_client')
  const anew = await discover('again', later)
  expect(await errorOf(oidc.authorizationCodeGrant(anew, waiting, silent.checks))).toBe('invalid_grant')
  expect(await errorOf(oidc.refreshTokenGrant(anew, tokens.refresh_token ?? ''))).toBe('invalid_grant')
  for (const i of [0, 1]) expect(await userinfo(tokens.access_token, i)).toBe(401)
  // The person is asked once more, in the same session.
  const second = await agree(browser, anew)
  expect((await oidc.authorizationCodeGrant(anew, second.answer, second.checks)).claims()?.sid).toBe(
    tokens.claims()?.sid,
  )
  expect(await entries('client.removed', 1)).toHaveLength(1)
})

test('a removal holds at once, also on a node that has not heard of it', async () => {
  const secret = await make('unheard')
  const config = await discover('unheard', secret)
  const { answer, checks } = await scan(config)
  const tokens = await oidc.authorizationCodeGrant(config, answer, checks)
  // As a command does that no node hears: the message is lost.
  const at = redis.keys.clients()
  const [id = ''] = ((await redis.data.hget(at, 'unheard')) ?? '').split(' ')
  await redis.data
    .multi()
    .hdel(at, 'unheard')
    .hset(at, `!${id}`, `${Date.now() + 86_400_000} unheard`)
    .exec()
  for (const i of [0, 1]) {
    expect(await userinfo(tokens.access_token, i)).toBe(401)
    // A node that reads its table in these milliseconds refuses the application itself.
    expect([
      { status: 400, error: 'invalid_grant' },
      { status: 401, error: 'invalid_client' },
    ]).toContainEqual(await refreshAt(i, 'unheard', secret, tokens.refresh_token ?? ''))
  }
})

test('a redemption that races a removal gets tokens or a refusal, and after it nothing is worth anything', async () => {
  const outcomes = new Set<string>()
  for (let round = 0; round < 8; round++) {
    const id = `raced-${round}`
    const secret = await make(id)
    const config = await discover(id, secret)
    const { answer, checks } = await scan(config)
    const redeem = oidc.authorizationCodeGrant(config, answer, checks).then(
      (tokens) => ({ tokens, outcome: 'granted' }),
      (error: unknown) => ({ tokens: undefined, outcome: reasonIn(error) }),
    )
    // The removal comes earlier and earlier.
    if (round < 4) await new Promise((done) => setImmediate(done))
    const removal = admin(round % 2).remove(id)
    const [{ tokens, outcome }] = await Promise.all([redeem, removal])
    outcomes.add(outcome)
    if (!tokens) continue
    for (const i of [0, 1]) {
      expect(await userinfo(tokens.access_token, i)).toBe(401)
      expect((await refreshAt(i, id, secret, tokens.refresh_token ?? '')).status).toBeGreaterThanOrEqual(400)
    }
  }
  expect(['granted', 'invalid_client', 'invalid_grant']).toEqual(expect.arrayContaining([...outcomes]))
})

test('one of the file wins over one of the same id in Redis, and that is said', async () => {
  expect((await admin().create(registration('wiki'))).body).toMatchObject({
    code: 'NAME_TAKEN',
    detail: expect.stringContaining('SAOMA_CLIENTS'),
  })
  for (const refused of [await admin().change('wiki', { client_name: 'Mine' }), await admin().rotate('wiki')])
    expect(refused).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } })
  const store = createClientStore(redis, [CLUSTER_SECRET])
  const made = await store.create(registration('wiki') as never, '')
  if (!made.ok) throw new Error(made.code)
  for (const node of cluster.nodes)
    await node.nextLine(({ json: line }) => line?.event === 'clients' && `${line.hidden}` === 'wiki')
  expect((await admin(1).list()).body.clients.filter(({ client_id }) => client_id === 'wiki')).toMatchObject([
    { source: 'file' },
    { source: 'redis', hidden: true },
  ])
  expect((await admin(1).read('wiki')).body.source).toBe('file')
  expect((await refreshAt(0, 'wiki', SECRET, 'x'.repeat(65))).error).toBe('invalid_grant')
  expect((await refreshAt(0, 'wiki', made.value.secret ?? '', 'x'.repeat(65))).error).toBe('invalid_client')
  expect((await admin().remove('wiki')).body).toMatchObject({ removed: true })
  expect((await admin().remove('wiki')).body).toMatchObject({ code: 'FORBIDDEN' })
})

test('what Redis loses comes back, and what was removed does not', async () => {
  const kept = await make('kept')
  await make('gone')
  await admin().remove('gone')
  const operator = await openOperator(cluster.redis.url)
  await operator.flushall()
  await operator.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const at = redis.keys.clients()
  await until(
    () => redis.data.hkeys(at),
    (fields) => fields.includes('kept') && fields.some((field) => field.startsWith('!')),
  )
  expect(await redis.data.hkeys(at)).not.toContain('gone')
  for (const i of [0, 1]) {
    expect((await refreshAt(i, 'kept', kept, 'x'.repeat(65))).error).toBe('invalid_grant')
    expect((await refreshAt(i, 'gone', kept, 'x'.repeat(65))).error).toBe('invalid_client')
  }
  expect((await admin(1).change('kept', { client_name: 'Kept' })).body.client?.client_name).toBe('Kept')
})

test('a mistake is one sentence that names the member, and rights are those of the key', async () => {
  for (const [more, detail] of [
    [{ client_id: 'web' }, 'client_id must be 1 to 64 of A-Z, a-z, 0-9, . _ and -, and not web, phone or miniprogram'],
    [{ redirect_uris: ['https://a.example/#f'] }, 'redirect_uris must list addresses with https or http'],
    [{ grant_types: [] }, `grant_types must have a way to log in: authorization_code, ${DEVICE} or ${CIBA}`],
    [{ grant_types: [DEVICE], redirect_uris: [REDIRECT] }, 'redirect_uris is of no use without authorization_code'],
    [{ verify: 'passkey' }, expect.stringMatching(/^verify cannot be passkey yet/)],
    [{ scope: 'profile' }, 'scope must have openid'],
    [{ logo: 'x' }, 'logo is no member of a client'],
    [{ client_name: undefined }, 'client_name is needed'],
    [{ secret_sha256: 'x' }, 'secret_sha256 is not given here: Saoma draws the secret'],
  ] as const)
    expect(await admin().create(registration('wrong', more))).toMatchObject({
      status: 422,
      body: { code: 'INVALID', detail },
    })
  await make('right', { type: 'public' })
  expect((await admin().rotate('right')).body.detail).toBe('a public application has no secret')
  expect((await admin().change('right', { type: 'confidential' })).body.detail).toBe(
    'type cannot be changed: make another application',
  )
  expect((await admin().change('right', { client_id: 'left' })).body.detail).toContain('client_id cannot be changed')
  expect((await admin().change('right', { client_name: null })).body.detail).toBe('client_name is needed')
  expect((await admin().create(registration('right'))).body.code).toBe('NAME_TAKEN')
  expect(await admin(0, reader).create(registration('none'))).toMatchObject({
    status: 403,
    body: { code: 'SCOPE_MISSING' },
  })
  expect((await admin(0, reader).list('?limit=1')).body).toMatchObject({ cursor: expect.any(String) })
  expect((await admin().read('nobody')).body.code).toBe('NOT_FOUND')
  expect((await admin().change('nobody', {})).body.code).toBe('NOT_FOUND')
  expect(await admin().list('?x=1')).toMatchObject({ status: 422 })
})

test('the list has all pages', async () => {
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const { body } = await admin().list(`?limit=2${cursor ? `&cursor=${cursor}` : ''}`)
    seen.push(...body.clients.map(({ client_id, source }) => `${client_id} ${source}`))
    cursor = body.cursor
  } while (cursor)
  expect(seen).toEqual([...new Set(seen)].sort())
  expect(seen).toEqual(expect.arrayContaining(['kept redis', 'board file']))
})
