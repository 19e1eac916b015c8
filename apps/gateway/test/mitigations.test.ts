import { createHash } from 'node:crypto'
import type { ActivityPage, Problem, SessionsEnded } from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  connectLive,
  connectLogin,
  createTicket,
  metricOf,
  phoneToken,
  redeem,
  refresh,
  reject,
  request,
  scan,
  startCluster,
  testAdminKey,
  until,
  webToken,
} from '@saoma/testing'
import { createBrowser, loginClientAt, REDIRECT, SECRET, testClients } from './relying-party.ts'

/*
 * What keeps a stranger from using somebody's phone for a login (RFC 10027, section 6.1), as far as it costs
 * the person nothing. Each step goes to another node.
 */

const OFFICE = '10.1.2.3'
const OUTSIDE = '203.0.113.7'
const clients = [
  ...(JSON.parse(testClients) as object[]),
  {
    client_id: 'vault',
    client_name: 'Vault',
    type: 'confidential',
    party: 'first',
    redirect_uris: [REDIRECT],
    networks: ['10.0.0.0/8', '2001:db8::/32'],
    secret_sha256: createHash('sha256').update(SECRET).digest('hex'),
  },
  {
    client_id: 'counter',
    client_name: 'Kiosk',
    type: 'public',
    party: 'first',
    redirect_uris: ['https://counter.example.com/'],
    networks: ['10.0.0.0/8'],
  },
]

let cluster: Cluster
let a: string
let b: string

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_CLIENTS: JSON.stringify(clients), SAOMA_WEB_NETWORKS: `127.0.0.0/8,${OFFICE}` },
    nginxEnv: { NGINX_TRUST: '127.0.0.0/8' },
  })
  const [first = '', second = ''] = cluster.nodes.map(({ origin }) => origin)
  a = first
  b = second
})
afterAll(() => cluster.stop())

const activity = async (bearer: string) => (await request<ActivityPage>(`${b}/v1/me/activity`, { bearer })).body.entries
/** Entries are written a moment after what they tell of. */
const entriesOf = (bearer: string, kind: string, count = 1) =>
  until(
    async () => (await activity(bearer)).filter((entry) => entry.kind === kind),
    (found) => found.length >= count,
  )
const sidOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid
const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

describe('a picture that is shown to a crowd', () => {
  test('gives tokens to nobody from the third account on, and page, phones, owner and operator are told', async () => {
    const [ann, ben, cyd] = await Promise.all(
      ['crowd ann', 'crowd ben', 'crowd cyd'].map((name) => phoneToken(a, name)),
    )
    const { ticket, device_code: deviceCode } = await createTicket(cluster.origin)
    const page = connectLogin(b)
    await page.watch(deviceCode)
    expect((await scan(a, ticket, ann ?? '')).body).toMatchObject({ opened: 'scanned' })
    expect((await scan(b, ticket, ben ?? '')).body).toMatchObject({ code: 'TICKET_TAKEN' })
    const third = await scan(a, ticket, cyd ?? '')
    expect([third.status, third.body]).toMatchObject([409, { code: 'TICKET_VOID', react: 'stop' }])

    expect(await page.next('ticket')).toMatchObject({ status: 'scanned' })
    expect(await page.next('ticket')).toMatchObject({ status: 'rejected', code: 'TICKET_VOID' })
    for (const act of [scan, confirm, reject])
      expect((await act(b, ticket, ann ?? '')).body).toMatchObject({ code: 'TICKET_VOID' })
    expect((await redeem(cluster.origin, deviceCode)).body).toMatchObject({
      error: 'access_denied',
      error_description: expect.stringContaining('Several people'),
    })
    expect(await entriesOf(ann ?? '', 'login.void')).toMatchObject([{ ticket, by: 'saoma', reason: 'TICKET_VOID' }])
    const counts = await Promise.all(
      cluster.nodes.map((node) => metricOf(node, 'saoma_login_transitions_total\\{state="void"\\}')),
    )
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1)
  })

  test('a stranger ends no login that its owner has confirmed', async () => {
    const [ann, ...strangers] = await Promise.all(['late ann', 's1', 's2', 's3'].map((name) => phoneToken(a, name)))
    const { ticket, device_code: deviceCode } = await createTicket(cluster.origin)
    await scan(a, ticket, ann ?? '')
    await confirm(b, ticket, ann ?? '')
    for (const stranger of strangers)
      expect((await scan(a, ticket, stranger)).body).toMatchObject({ code: 'TICKET_TAKEN' })
    expect((await redeem(cluster.origin, deviceCode)).status).toBe(200)
  })
})

test('the phone is told that its person has typed the code, whichever node took it', async () => {
  const phone = await phoneToken(a, 'typist')
  const { ticket, user_code: userCode } = await createTicket(cluster.origin)
  expect((await request(`${a}/v1/user-codes/${userCode.toLowerCase()}`, { bearer: phone })).body).toEqual({ ticket })
  expect((await scan(b, ticket, phone)).body).toMatchObject({ opened: 'typed' })
})

describe('this was not me', () => {
  const report = (origin: string, bearer: string, sid: string) =>
    request<SessionsEnded & Partial<Problem>>(`${origin}/v1/sessions/${sid}/report`, { method: 'POST', bearer })

  test('ends that login on every door, is noted with what the login was, and may be repeated', async () => {
    const phone = await phoneToken(a, 'victim')
    const [stolen, kept] = [await webToken(cluster.origin, 'victim'), await webToken(cluster.origin, 'victim')]
    const sid = sidOf(stolen.access_token)
    const live = connectLive(a, { token: stolen.access_token })
    await live.next('connect')

    expect(await report(b, phone, sid)).toMatchObject({ status: 200, body: { ended: 1 } })
    expect(await live.next('ended')).toMatchObject({ code: 'REVOKED' })
    expect(await refresh(a, stolen.refresh_token)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect((await request(`${a}/v1/sessions`, { bearer: stolen.access_token })).status).toBe(401)
    const seen = { sid, client: 'web', ip: '127.0.0.1', by: 'phone' }
    expect(await entriesOf(phone, 'login.reported')).toMatchObject([seen])
    expect(await entriesOf(phone, 'session.ended')).toMatchObject([{ sid, by: 'phone', reason: 'reported' }])
    const noted = `${cluster.nodes[0]?.internalOrigin}/v1/admin/audit?kind=login.reported`
    const told = await request<{ entries: object[] }>(noted, { bearer: testAdminKey })
    expect(told.body.entries).toMatchObject([seen])

    // The answer may have been lost. The other login stays.
    for (const origin of [a, b]) expect((await report(origin, phone, sid)).body).toEqual({ ended: 0 })
    expect((await refresh(b, kept.refresh_token)).status).toBe(200)
    expect((await report(a, kept.access_token, sidOf(kept.access_token))).body).toEqual({ ended: 1 })
    expect((await entriesOf(phone, 'login.reported', 2)).map((entry) => [entry.sid, entry.by])).toEqual([
      [sidOf(kept.access_token), 'browser'],
      [sid, 'phone'],
    ])
  })

  test('counts for a login that is over, as long as the person can read of it', async () => {
    const phone = await phoneToken(a, 'late victim')
    const gone = await webToken(cluster.origin, 'late victim')
    const sid = sidOf(gone.access_token)
    await entriesOf(phone, 'login.redeemed')
    await request(`${a}/v1/sessions/${sid}`, { method: 'DELETE', bearer: phone })
    expect(await report(b, phone, sid)).toMatchObject({ status: 200, body: { ended: 0 } })
    expect(await entriesOf(phone, 'login.reported')).toMatchObject([{ sid, client: 'web', ip: '127.0.0.1' }])
  })

  test('nobody reports the login of somebody else, and a backend none', async () => {
    const victim = await webToken(cluster.origin, 'whole')
    const sid = sidOf(victim.access_token)
    const stranger = await phoneToken(a, 'stranger')
    for (const wrong of [sid, 'x'.repeat(22), 'x'])
      expect(await report(a, stranger, wrong)).toMatchObject({ status: 404, body: { code: 'SESSION_NOT_FOUND' } })
    expect((await report(a, testAdminKey, sid)).status).toBe(403)
    expect((await refresh(b, victim.refresh_token)).status).toBe(200)
  })
})

describe('networks that may ask for codes', () => {
  const NO = { code: 'NETWORK_NOT_ALLOWED', react: 'stop' }
  const ask = (client: string, address: string) =>
    request(`${cluster.origin}/oidc/device/auth`, { form: { client_id: client, scope: 'openid' }, ...from(address) })

  test.each([
    [OFFICE, 200],
    ['127.0.0.1', 200],
    [OUTSIDE, 403],
    ['10.1.2.4', 403],
    ['2001:db8::1', 403],
  ])('the client web at %s is answered %i', async (address, status) => {
    const answer = await ask('web', address)
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.body).toMatchObject({ error: 'access_denied', ...NO })
  })

  const authorize = (id: string, more: Record<string, string> = {}) => {
    const redirect_uri = id === 'counter' ? 'https://counter.example.com/' : REDIRECT
    const code_challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url')
    const pkce = { code_challenge, code_challenge_method: 'S256' }
    const given = { client_id: id, response_type: 'code', scope: 'openid', state: 's', redirect_uri, ...pkce, ...more }
    return new URLSearchParams(given)
  }
  const visit = (id: string, address: string, more = {}) =>
    fetch(`${cluster.origin}/oidc/auth?${authorize(id, more)}`, {
      redirect: 'manual',
      headers: { accept: 'text/html', ...from(address).headers },
    })

  test('an application is reached from its networks, and from elsewhere a page says what to do', async () => {
    for (const address of [OFFICE, '2001:db8:1::7']) {
      const { status, headers } = await visit('vault', address)
      expect([status, headers.get('location')]).toMatchObject([303, expect.stringContaining('/oidc/interaction/')])
    }
    const refused = await visit('vault', OUTSIDE)
    expect([refused.status, refused.headers.get('location')]).toEqual([403, null])
    expect(await refused.text()).toContain('from certain networks only')
    // Without `networks` an application is reached from everywhere.
    expect((await visit('wiki', OUTSIDE)).status).toBe(303)
  })

  test('an application that asks without showing anything is told itself', async () => {
    const { headers } = await visit('vault', OUTSIDE, { prompt: 'none' })
    const answer = new URL(headers.get('location') ?? '')
    expect(answer.origin + answer.pathname).toBe(REDIRECT)
    expect(answer.searchParams.get('error')).toBe('access_denied')
  })

  test('single sign-on gets nobody in from outside', async () => {
    const browser = createBrowser(cluster.origin)
    const page = await browser.go(`${cluster.origin}/oidc/auth?${authorize('wiki')}`)
    const client = loginClientAt(page.location)
    const { device_code, ticket } = await createTicket(a, { form: { client_id: client, scope: 'openid' } })
    const phone = await phoneToken(b, 'insider')
    await scan(a, ticket, phone)
    await confirm(b, ticket, phone)
    const token = await request<{ access_token: string }>(`${b}/oidc/token`, {
      form: { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code, client_id: client },
    })
    const done = await browser.post(`${page.location}/login`, { bearer: token.body.access_token })
    await browser.go(String(done.body.location))
    const cookie = [...browser.cookies].map(([name, { value }]) => `${name.split('@')[0]}=${value}`).join('; ')
    const again = (address: string) =>
      fetch(`${cluster.origin}/oidc/auth?${authorize('vault')}`, {
        redirect: 'manual',
        headers: { accept: 'text/html', cookie, ...from(address).headers },
      })
    expect((await again(OFFICE)).headers.get('location')).toContain(`${REDIRECT}?code=`)
    expect((await again(OUTSIDE)).status).toBe(403)
  })

  test('the page of an application gets its code from the networks of that application', async () => {
    const opened = await visit('vault', OFFICE)
    const client = loginClientAt(opened.headers.get('location') ?? '')
    expect(await ask(client, OUTSIDE)).toMatchObject({ status: 403, body: NO })
    expect((await ask(client, OFFICE)).status).toBe(200)
  })

  test('a pushed request of a page counts where the page is; that of a server is checked when the browser comes', async () => {
    const push = (id: string, address: string, secret: Record<string, string> = {}) =>
      request<{ request_uri: string }>(`${cluster.origin}/oidc/request`, {
        form: { ...Object.fromEntries(authorize(id)), ...secret },
        ...from(address),
      })
    expect(await push('counter', OUTSIDE)).toMatchObject({ status: 403, body: NO })
    expect((await push('counter', OFFICE)).status).toBe(201)
    const pushed = await push('vault', OUTSIDE, { client_secret: SECRET })
    expect(pushed.status).toBe(201)
    const come = (address: string) =>
      fetch(
        `${cluster.origin}/oidc/auth?${new URLSearchParams({ client_id: 'vault', request_uri: pushed.body.request_uri })}`,
        { redirect: 'manual', headers: { accept: 'text/html', ...from(address).headers } },
      )
    expect((await come(OUTSIDE)).status).toBe(403)
    expect((await come(OFFICE)).status).toBe(303)
  })
})
