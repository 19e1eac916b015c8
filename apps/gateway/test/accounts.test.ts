import { createAccounts, openAccountKeys } from '@saoma/accounts'
import { createRedis } from '@saoma/redis'
import {
  attemptPhoneToken,
  type Cluster,
  confirm,
  connectLogin,
  createTicket,
  onCleanup,
  redeem,
  refresh,
  request,
  scan,
  startCluster,
} from '@saoma/testing'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'

const NODE_SECRET = 'a secret of the nodes, which nobody keeps'
const SECRET = 'a secret of the account hook'
const SECOND = 'wx0000000000000002'
const APPS = JSON.stringify([{ appid: SECOND, secret: 'the secret of the second' }])
const LEVEL = 'https://shop.example.com/level'
let cluster: Cluster
let business: BusinessServer

beforeAll(async () => {
  business = await startBusinessServer(json({ allow: true }))
  cluster = await startCluster({
    nodes: 2,
    simulator: { env: { WECHAT_OPEN_PLATFORM: 'the company', WECHAT_APPS: APPS } },
    env: {
      SAOMA_DEMO: 'false',
      SAOMA_SECRET: NODE_SECRET,
      WECHAT_APPS: APPS,
      SAOMA_ACCOUNT_URL: business.url,
      SAOMA_ACCOUNT_SECRET: SECRET,
      SAOMA_ACCOUNT_CLAIMS: LEVEL,
    },
  })
})
beforeEach(() => {
  business.questions.length = 0
  business.answer = json({ allow: true })
})

const simulator = async <T>(path: string, body: object): Promise<T> =>
  (await request<T>(`${cluster.simulator?.origin}/simulator${path}`, { json: body })).body
const jsCode = async (person: string) => (await simulator<{ js_code: string }>('/login', { person })).js_code
const phone = async (person: string) => attemptPhoneToken(cluster.origin, await jsCode(person))
const claimsOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** Logs in at both nodes' addresses, as the person and a page would. */
const logIn = async (person: string, scope = 'openid profile phone business offline_access') => {
  const { body: ticket } = await request<Awaited<ReturnType<typeof createTicket>>>(
    `${cluster.origin}/oidc/device/auth`,
    {
      form: { client_id: 'web', scope },
    },
  )
  const { access_token: token } = (await phone(person)).body
  await scan(cluster.origin, ticket.ticket, token)
  await confirm(cluster.origin, ticket.ticket, token)
  return (await redeem(cluster.origin, ticket.device_code)).body
}

const openAccounts = async () => {
  const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  const keys = await openAccountKeys(redis, { secrets: [NODE_SECRET] })
  onCleanup(async () => {
    keys.close()
    await redis.close()
  })
  return createAccounts(redis, keys)
}

test('the business is told who comes, and says the sub and the claims, which reach the id token by scope', async () => {
  business.answer = json({
    allow: true,
    sub: '1001',
    claims: { name: 'Ann', locale: 'zh-CN', phone_number: '+8613800138000', [LEVEL]: 3 },
  })
  const { code: phone_code } = await simulator<{ code: string }>('/phone', { number: '13800138000' })
  const first = await request(`${cluster.origin}/oidc/token`, {
    form: {
      grant_type: 'urn:saoma:grant-type:wx-code',
      client_id: 'phone',
      code: await jsCode('ann'),
      phone_code,
    },
  })
  expect(first.status).toBe(200)
  const identity = {
    provider: 'wechat',
    app: cluster.simulator?.env.WECHAT_APPID,
    id: expect.stringMatching(/^o.{27}$/),
    union: expect.stringMatching(/^o.{27}$/),
  }
  expect(business.questions).toEqual([
    {
      path: '/ask',
      headers: expect.objectContaining({ authorization: `Bearer ${SECRET}` }),
      body: { action: 'birth', identity, phone_number: '+8613800138000' },
    },
  ])

  const all = claimsOf((await logIn('ann')).id_token)
  expect(all).toMatchObject({ sub: '1001', name: 'Ann', locale: 'zh-CN', phone_number: '+8613800138000', [LEVEL]: 3 })
  const { id_token, access_token } = await logIn('ann', 'openid')
  for (const token of [id_token, access_token]) {
    expect(claimsOf(token).sub).toBe('1001')
    expect(JSON.stringify(claimsOf(token))).not.toMatch(/Ann|13800138000|level/)
  }
  expect(claimsOf((await logIn('ann', 'openid profile')).id_token)).not.toHaveProperty('phone_number')
  // Asked once for each person.
  expect(business.questions).toHaveLength(1)
})

test('nothing of a person is on the socket before redemption', async () => {
  business.answer = json({ allow: true, sub: 'f6', claims: { name: 'Private Person' } })
  const ticket = await createTicket(cluster.origin)
  const client = await connectLogin(cluster.origin)
  const heard: unknown[] = []
  client.socket.onAny((...args: unknown[]) => heard.push(args))
  heard.push(await client.watch(ticket.device_code))
  const { access_token: token } = (await phone('f6')).body
  await scan(cluster.origin, ticket.ticket, token)
  await confirm(cluster.origin, ticket.ticket, token)
  for (const status of ['scanned', 'confirmed']) expect(await client.next('ticket')).toMatchObject({ status })
  expect(JSON.stringify(heard)).not.toMatch(/Private|f6/)
  client.close()
})

test('a refusal has the sentence of the business, and creates nobody', async () => {
  business.answer = json({ allow: false, detail: '您不是会员，请联系前台。' })
  const refused = await phone('stranger')
  expect(refused).toMatchObject({
    status: 403,
    body: {
      error: 'access_denied',
      code: 'ACCOUNT_REFUSED',
      react: 'stop',
      status: 403,
      detail: '您不是会员，请联系前台。',
    },
  })
  business.answer = (res) => res.writeHead(403).end()
  const curt = await phone('stranger')
  expect(curt).toMatchObject({ status: 403, body: { code: 'ACCOUNT_REFUSED' } })
  expect(curt.body).not.toHaveProperty('detail')
  business.answer = json({ allow: true, sub: 'admitted' })
  expect(claimsOf((await logIn('stranger')).id_token).sub).toBe('admitted')
})

test.each<[what: string, answer: BusinessServer['answer'], reason: string]>([
  ['an error', json({}, 500), 'status 500'],
  ['no JSON', (res) => res.end('yes'), 'body'],
  ['a yes in words', json({ allow: 'yes' }), 'body: allow'],
  ['a sub that cannot be one', json({ allow: true, sub: 'a b' }), 'body: sub'],
  [
    'a claim that is not listed',
    json({ allow: true, claims: { admin: 'hidden value' } }),
    'body: claims.admin (not known)',
  ],
  [
    'a claim of a wrong form',
    json({ allow: true, claims: { phone_number: 'hidden value' } }),
    'body: claims.phone_number',
  ],
  ['more than claims may have', json({ allow: true, claims: { [LEVEL]: 'x'.repeat(5_000) } }), 'body: claims'],
  ['a member that does not exist', json({ allow: true, role: 'x' }), 'body: role (not known)'],
])('%s is no yes', async (_, answer) => {
  business.answer = answer
  const unanswered = await phone('unanswered')
  expect(unanswered).toMatchObject({
    status: 502,
    body: { error: 'temporarily_unavailable', code: 'BACKEND_UNAVAILABLE', react: 'retry' },
  })
  expect(unanswered.headers.get('retry-after')).toBe('2')
})

test('the log says what was wrong with an answer, without its values', async () => {
  const { lines } = cluster.nodes[0] ?? { lines: [] }
  const said = [...lines, ...(cluster.nodes[1]?.lines ?? [])]
    .map(({ text }) => text)
    .filter((text) => text.includes('SAOMA_ACCOUNT_URL'))
  expect(said.length).toBeGreaterThan(0)
  expect(said.join()).toMatch(/"reason":"(status 500|body)/)
  expect(said.join()).not.toMatch(/hidden value|a secret of the account hook|oPerson/)
  // A refused request is logged, and counted by the audit, with the code of the protocol.
  const codes = cluster.nodes.flatMap((node) => node.lines.map(({ json }) => json?.code))
  expect(codes).toEqual(expect.arrayContaining(['ACCOUNT_REFUSED', 'BACKEND_UNAVAILABLE']))
  expect(codes).not.toContain('access_denied')
})

test('somebody who has an account gets in while the business is down', async () => {
  business.answer = json({ allow: true, sub: 'regular' })
  await logIn('regular')
  business.answer = json({}, 503)
  expect(claimsOf((await logIn('regular')).id_token).sub).toBe('regular')
})

test('a disabled account scans no code and gets no token: not on the phone, not at redemption, not at a refresh', async () => {
  business.answer = json({ allow: true, sub: 'barred' })
  const accounts = await openAccounts()
  const { refresh_token } = await logIn('barred')
  const { access_token: token } = (await phone('barred')).body
  const ticket = await createTicket(cluster.origin)
  const agreed = await createTicket(cluster.origin)
  for (const each of [ticket, agreed]) await scan(cluster.origin, each.ticket, token)
  expect((await confirm(cluster.origin, agreed.ticket, token)).status).toBe(200)
  expect(await accounts.setState('barred', 'disabled')).toBe(true)
  const next = await createTicket(cluster.origin)
  expect(await scan(cluster.origin, next.ticket, token)).toMatchObject({
    status: 403,
    body: { code: 'ACCOUNT_DISABLED', react: 'stop' },
  })
  expect(await confirm(cluster.origin, ticket.ticket, token)).toMatchObject({
    status: 403,
    body: { code: 'ACCOUNT_DISABLED', react: 'stop' },
  })
  expect(await redeem(cluster.origin, agreed.device_code)).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
  expect(await refresh(cluster.origin, refresh_token)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect(await phone('barred')).toMatchObject({ status: 403, body: { code: 'ACCOUNT_DISABLED', react: 'stop' } })
  await accounts.setState('barred', 'active')
  expect(claimsOf((await logIn('barred')).id_token).sub).toBe('barred')
})

test('a phone of a deleted account scans no code until it asks for a token again, as a new person', async () => {
  business.answer = json({ allow: true })
  const accounts = await openAccounts()
  const { access_token: token } = (await phone('leaver')).body
  const { sub } = claimsOf(token)
  expect(await accounts.remove(sub)).toBe(true)
  const { ticket } = await createTicket(cluster.origin)
  expect(await scan(cluster.origin, ticket, token)).toMatchObject({
    status: 401,
    body: { code: 'REVOKED', react: 'reauth' },
  })
  const { access_token: anew } = (await phone('leaver')).body
  expect(claimsOf(anew).sub).not.toBe(sub)
  expect((await scan(cluster.origin, ticket, anew)).status).toBe(200)
})

test('a person is one account in two mini-programs of the company', async () => {
  const { js_code: code } = await simulator<{ js_code: string }>('/login', { person: 'both', appid: SECOND })
  const form = { grant_type: 'urn:saoma:grant-type:wx-code', client_id: 'phone', code }
  const at = (fields: object) =>
    request<{ access_token: string }>(`${cluster.origin}/oidc/token`, { form: { ...form, ...fields } })
  // The code of one app is none of another.
  expect(await at({})).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect(await at({ app: 'wx-unknown' })).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  const { body } = await at({ app: SECOND })
  const { body: other } = await phone('both')
  expect(claimsOf(body.access_token).sub).toBe(claimsOf(other.access_token).sub)
  expect(business.questions).toHaveLength(1)
  const accounts = await openAccounts()
  const identities = await accounts.identities(claimsOf(body.access_token).sub)
  expect(identities.map(({ app }) => app).sort()).toEqual([cluster.simulator?.env.WECHAT_APPID, SECOND])
})
