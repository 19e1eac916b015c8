import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { CIBA_GRANT, DEVICE_CODE_GRANT, TOKEN_EXCHANGE_GRANT } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import {
  type Answer,
  attemptPhoneToken,
  attemptTicket,
  confirm,
  connectLive,
  connectLogin,
  createTicket,
  onCleanup,
  phoneToken,
  publish,
  redeem,
  refresh,
  request,
  scan,
  startGateway,
  startRedis,
  startRedisCluster,
  testAdminKey,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { decodeJwt } from 'jose'
import { json, startBusinessServer } from './business-server.ts'
import { openOperator } from './fixtures.ts'
import { AUDIENCE, createJwtSigner, ISSUER } from './jwt-signer.ts'
import {
  createBrowser,
  deskClient,
  loginClientAt,
  REDIRECT,
  SECRET,
  scanned as scannedFor,
  testClients,
} from './relying-party.ts'

/*
 * Redis is full: maxmemory is reached. What ends something works; what needs memory is refused with a reason,
 * and no answer is 500.
 */

const OWN = 'http://full.test'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'

const topologies = {
  standalone: async () => {
    const server = await startRedis()
    return { url: server.url, servers: [server] }
  },
  cluster: async () => {
    const { url, nodes } = await startRedisCluster()
    return { url, servers: nodes }
  },
}

/** Whoever signs for the company's own app. */
const signer = await createJwtSigner('own')

/** A node, people, and a Redis that can be full and not. */
const prepare = async (topology: keyof typeof topologies) => {
  const ownKeys = await startBusinessServer(json({ keys: [signer.jwk] }))
  const { url, servers } = await topologies[topology]()
  const { origin, internalOrigin } = await startGateway({
    redisUrl: url,
    nodeId: 'a',
    origin: OWN,
    env: {
      SAOMA_CLIENTS: JSON.stringify([...JSON.parse(testClients), deskClient]),
      SAOMA_ANDROID_APPS: `com.example.app ${'AB:'.repeat(31)}AB`,
      SAOMA_PHONE_ISSUERS: JSON.stringify([{ name: 'own', issuer: ISSUER, jwks_uri: ownKeys.url, audience: AUDIENCE }]),
    },
  })
  const operators = await Promise.all(servers.map((server) => openOperator(server.url)))
  const limit = (maxmemory: string) =>
    Promise.all(operators.map((operator) => operator.call('CONFIG', 'SET', 'maxmemory', maxmemory)))
  return { url, origin, internalOrigin, fill: () => limit('1'), free: () => limit('0') }
}
const kioskCode = (origin: string) => createTicket(origin, { form: { client_id: 'kiosk', scope: 'openid' } })
const deviceForm = (device_code: string) => ({ grant_type: DEVICE_CODE_GRANT, device_code, client_id: 'kiosk' })
const scanned = async (origin: string, phone: string) => {
  const created = await createTicket(origin)
  await scan(origin, created.ticket, phone)
  return created
}
const sids = async (origin: string, bearer: string): Promise<{ sid: string; current: boolean }[]> =>
  (await request<{ sessions: { sid: string; current: boolean }[] }>(`${origin}/v1/sessions`, { bearer })).body.sessions

describe.each(Object.keys(topologies) as (keyof typeof topologies)[])('a full %s Redis', (topology) => {
  // So do a reject and a trim: whatever frees memory must be possible.
  test('every log-out works and takes effect on every door', async () => {
    const { url, origin, fill } = await prepare(topology)
    const phone = await phoneToken(origin, 'ada')
    const logins = [await webToken(origin, 'ada'), await webToken(origin, 'ada'), await webToken(origin, 'ada')]
    const [one, two, three] = logins as [(typeof logins)[0], (typeof logins)[0], (typeof logins)[0]]
    const other = await webToken(origin, 'ben')
    const sockets = [one, two, three, other].map(({ access_token: token }) => connectLive(origin, { token }))
    for (const socket of sockets) expect(await socket.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
    const declined = await scanned(origin, phone)
    const watcher = connectLogin(origin)
    await watcher.watch(declined.device_code)
    const own = (await sids(origin, one.access_token)).find(({ current }) => current)?.sid
    const clients = await createRedis({ url, probeMs: 0 })
    onCleanup(() => clients.close())
    await fill()
    // As full as can be.
    await expect(clients.data.set('any', 'x')).rejects.toThrow('OOM')

    const end = (path: string, bearer: string) =>
      request<{ ended: number }>(`${origin}/v1/sessions${path}`, { method: 'DELETE', bearer })
    expect(await end(`/${own}`, phone)).toMatchObject({ status: 200, body: { ended: 1 } })
    expect(await sockets[0]?.next('ended')).toMatchObject({ code: 'REVOKED' })
    const form = { token: two.refresh_token ?? '', client_id: 'web' }
    expect((await request(`${origin}/oidc/token/revocation`, { form })).status).toBe(200)
    expect(await sockets[1]?.next('ended')).toMatchObject({ code: 'REVOKED' })
    expect(await end('', phone)).toMatchObject({ status: 200, body: { ended: 1 } })
    expect(await sockets[2]?.next('ended')).toMatchObject({ code: 'REVOKED' })
    expect(await sids(origin, phone)).toEqual([])
    const business = { method: 'POST', bearer: testApiKey }
    expect((await request(`${origin}/v1/users/${other.user}/end`, business)).status).toBe(202)
    expect(await sockets[3]?.next('ended')).toMatchObject({ code: 'REVOKED' })
    const rejected = await request(`${origin}/v1/tickets/${declined.ticket}/reject`, { method: 'POST', bearer: phone })
    expect(rejected).toMatchObject({ status: 200, body: { state: { status: 'rejected' } } })
    expect(await watcher.next('ticket')).toMatchObject({ status: 'rejected' })
    const trim = { method: 'DELETE', bearer: testApiKey }
    expect((await request(`${origin}/v1/channels/room:open-1/messages?before=1`, trim)).status).toBe(200)
  })

  test('every other door answers or refuses with REDIS_UNAVAILABLE, and never with 500', async () => {
    const { origin, internalOrigin, fill, free } = await prepare(topology)
    const phone = await phoneToken(origin, 'ada')
    const kept = await webToken(origin, 'ada')
    const token = kept.access_token
    const room = 'room:open-1'
    await publish(origin, { channel: room, event: 'e', data: 1 })
    const fresh = await createTicket(origin)
    const seen = await scanned(origin, phone)
    // Of somebody else: an end of all sessions ends logins in progress, too.
    const another = await phoneToken(origin, 'cyd')
    const agreed = await scanned(origin, another)
    await confirm(origin, agreed.ticket, another)
    // A device shows a code, and another one may be used.
    const [shown, allowed] = await Promise.all([kioskCode(origin), kioskCode(origin)])
    await scan(origin, allowed.ticket, another)
    await confirm(origin, allowed.ticket, another)
    const { user: dan } = await webToken(origin, 'dan')
    // Servers have sent requests to phones. One is answered.
    const subOf = (bearer: string) => String(decodeJwt(bearer).sub)
    const push = (login_hint: string) =>
      request<{ ticket: string; auth_req_id: string; number: string }>(`${origin}/oidc/backchannel`, {
        form: { client_id: 'desk', client_secret: SECRET, scope: 'openid', login_hint },
      })
    const [{ body: waiting }, { body: answered }] = [await push(subOf(phone)), await push(subOf(another))]
    await scan(origin, answered.ticket, another)
    await confirm(origin, answered.ticket, another, { json: { number: answered.number } })
    const takeSent = ({ auth_req_id }: { auth_req_id: string }) =>
      request(`${origin}/oidc/token`, {
        form: { grant_type: CIBA_GRANT, client_id: 'desk', client_secret: SECRET, auth_req_id },
      })
    const asked = { client_id: 'wiki', redirect_uri: REDIRECT, response_type: 'code', scope: 'openid' }
    const authorize = `/oidc/auth?${new URLSearchParams(asked)}`
    const visitor = createBrowser(OWN, [origin])
    const interaction = (await visitor.go(authorize)).location
    // Somebody who is logged in for applications.
    const member = createBrowser(OWN, [origin])
    const entering = (await member.go(authorize)).location
    const proof = await scannedFor(origin, loginClientAt(entering), another)
    const { body: entered } = await member.post(`${entering}/login`, { bearer: proof })
    const code = new URL((await member.go(String(entered.location))).location).searchParams.get('code') ?? ''
    /** An answer of the pages of an application's login. */
    const page = async (
      answer: Promise<{ status: number; headers: Headers; text: string }>,
    ): Promise<Answer<unknown>> => {
      const { status, headers, text } = await answer
      const isJson = /json/.test(headers.get('content-type') ?? '')
      return { status, headers, body: isJson ? JSON.parse(text) : { error: /<h1>(.*)<\/h1>/.exec(text)?.[1] } }
    }
    const live = connectLive(origin, { token })
    const login = connectLogin(origin)
    await login.next('connect')
    await live.next('connect')
    expect(await live.subscribe({ channel: 'room:open-before' })).toMatchObject({ ok: true })
    for (const name of ['turned', 'revoked'])
      await request(`${internalOrigin}/v1/admin/keys`, { bearer: testAdminKey, json: { name, channels: ['room:*'] } })
    const application = (client_id: string) => ({
      ...{ client_id, client_name: 'App', type: 'confidential' },
      redirect_uris: ['https://app.example.com/callback'],
    })
    for (const id of ['app', 'gone'])
      await request(`${internalOrigin}/v1/admin/clients`, { bearer: testAdminKey, json: application(id) })
    await fill()

    const get = (path: string, bearer = token) => request(`${origin}${path}`, { bearer, timeoutMs: 10_000 })
    const people = (method: string, path: string, json?: unknown) =>
      request(`${internalOrigin}/v1/admin/accounts${path}`, { method, bearer: testAdminKey, ...(json ? { json } : {}) })
    const post = (path: string, bearer: string, json?: unknown) =>
      request(`${origin}${path}`, { method: 'POST', bearer, ...(json === undefined ? {} : { json }) })
    const admin = (path: string, options: object = {}) =>
      request(`${internalOrigin}/v1/admin/${path}`, { bearer: testAdminKey, ...options })
    /** By method and path as the routers have them. */
    const doors: Record<string, () => Promise<Answer<unknown>>> = {
      'get /channels/:channel/presence': () => get(`/v1/channels/${room}/presence`),
      'get /channels/:channel/inbox': () => get('/v1/channels/@user/inbox'),
      'post /channels/:channel/read': () => post('/v1/channels/@user/read', token, { offset: 1 }),
      'delete /channels/:channel/messages': () =>
        request(`${origin}/v1/channels/${room}/messages?before=1`, { method: 'DELETE', bearer: testApiKey }),
      'post /users/:user/end': () => post('/v1/users/nobody/end', testApiKey),
      'get /tickets/:ticket/qr': () => get(`/v1/tickets/${fresh.ticket}/qr`),
      'post /codes/:scene': () => post(`/v1/codes/${fresh.ticket}`, phone, {}),
      'post /tickets/:ticket/link': () => post(`/v1/tickets/${fresh.ticket}/link`, fresh.device_code),
      'get /link': () => request(`${origin}/v1/link`),
      'post /mesh/publish': () => post('/v1/mesh/publish', testApiKey, { c: room, d: 1 }),
      'get /channels/:channel/messages': () => get(`/v1/channels/${room}/messages`),
      'get /messages': () => get(`/v1/messages?channel=${room}`),
      'post /publish': () => publish(origin, { channel: room, event: 'e', data: 1 }),
      'publish, the first of a channel': () => publish(origin, { channel: 'room:open-new', event: 'e', data: 1 }),
      'get /audit': () => request(`${internalOrigin}/v1/admin/audit`, { bearer: testAdminKey }),
      'get /keys': () => request(`${internalOrigin}/v1/admin/keys`, { bearer: testAdminKey }),
      'post /keys': () =>
        request(`${internalOrigin}/v1/admin/keys`, {
          bearer: testAdminKey,
          json: { name: 'late', channels: ['room:*'] },
        }),
      'post /keys/:name/rotate': () =>
        request(`${internalOrigin}/v1/admin/keys/turned/rotate`, { bearer: testAdminKey, json: {} }),
      'delete /keys/:name': () =>
        request(`${internalOrigin}/v1/admin/keys/revoked`, { method: 'DELETE', bearer: testAdminKey }),
      'get /clients': () => admin('clients'),
      'get /clients/:client_id': () => admin('clients/app'),
      'post /clients': () => admin('clients', { json: application('late') }),
      'post /clients/:client_id': () => admin('clients/app', { json: { client_name: 'Application' } }),
      'post /clients/:client_id/rotate': () => admin('clients/app/rotate', { json: {} }),
      'delete /clients/:client_id': () => admin('clients/gone', { method: 'DELETE' }),
      'get /logins': () => admin('logins'),
      'get /logins, live': () => admin('logins?state=live'),
      'get /channels': () => admin('channels'),
      'get /channels/:channel': () => admin(`channels/${room}`),
      'get /channels/:channel/messages, of an administrator': () => admin(`channels/${room}/messages`),
      'get /channels/:channel/people': () => admin(`channels/${room}/people`),
      'delete /channels/:channel/messages, of an administrator': () =>
        admin(`channels/${room}/messages?before=1`, { method: 'DELETE' }),
      'get /nodes': () => admin('nodes'),
      // Of a node that does not exist: this one is needed.
      'post /nodes/:id/drain': () => admin('nodes/z/drain', { method: 'POST' }),
      'get /accounts': () => people('GET', '?provider=demo&id=dan'),
      'get /accounts/:sub': () => people('GET', `/${dan}`),
      'get /accounts/:sub/export': () => people('GET', `/${dan}/export`),
      'get /accounts/:sub/sessions': () => people('GET', `/${dan}/sessions`),
      'post /accounts/:sub/sessions/end': () => people('POST', `/${dan}/sessions/end`),
      'post /accounts/:sub/identities': () =>
        people('POST', `/${dan}/identities`, { provider: 'app', app: 'x', id: 'y' }),
      'delete /accounts/:sub/identities': () => people('DELETE', `/${dan}/identities?provider=app&app=x&id=y`),
      'post /accounts/:sub/disable': () => people('POST', `/${dan}/disable`),
      'post /accounts/:sub/enable': () => people('POST', `/${dan}/enable`),
      'delete /accounts/:sub': () => people('DELETE', `/${dan}`),
      'get /me/activity': () => get('/v1/me/activity'),
      'get /me': () => get('/oidc/me'),
      'post /me': () => post('/oidc/me', token),
      'get /sessions': () => get('/v1/sessions'),
      'delete /sessions/:sid': () =>
        request(`${origin}/v1/sessions/${'x'.repeat(22)}`, { method: 'DELETE', bearer: token }),
      'post /sessions/:sid/report': () => post(`/v1/sessions/${'x'.repeat(22)}/report`, token),
      'delete /sessions': () => request(`${origin}/v1/sessions?keep=current`, { method: 'DELETE', bearer: token }),
      'post /tickets/:ticket/scan': () => post(`/v1/tickets/${fresh.ticket}/scan`, phone),
      'post /tickets/:ticket/confirm': () => post(`/v1/tickets/${seen.ticket}/confirm`, phone),
      'post /tickets/:ticket/reject': () => post(`/v1/tickets/${seen.ticket}/reject`, phone),
      'get /tickets/:ticket': () => get(`/v1/tickets/${fresh.ticket}`, fresh.device_code),
      'post /tickets/:ticket/resume': () => post(`/v1/tickets/${fresh.ticket}/resume`, ''),
      'get /me/requests': () => get('/v1/me/requests', phone),
      'oidc poll, of a server': () => takeSent(waiting),
      'oidc redeem, of a server': () => takeSent(answered),
      'post /me/requests/:ticket/report': () => post(`/v1/me/requests/${waiting.ticket}/report`, phone),
      'get /me/browsers': () => get('/v1/me/browsers'),
      'delete /me/browsers/:browser': () =>
        request(`${origin}/v1/me/browsers/${'x'.repeat(43)}`, { method: 'DELETE', bearer: token }),
      'post /user-codes': () => post('/v1/user-codes', '', { userCode: fresh.user_code }),
      'get /user-codes/:userCode': () => get(`/v1/user-codes/${fresh.user_code}`, phone),
      'get /cgi-bin/mmwebwx-bin/login': () => get(`/cgi-bin/mmwebwx-bin/login?uuid=${fresh.ticket}&tip=1`),
      'get /connect/l/qrconnect': () => get(`/connect/l/qrconnect?uuid=${fresh.ticket}&last=404`),
      'get /diagnosis': () => request(`${origin}/v1/diagnosis`),
      'get /:uid/details': () => page(visitor.go(`${interaction}/details`)),
      'post /:uid/login': () => page(visitor.post(`${interaction}/login`, { bearer: token })),
      'post /:uid/consent': () => page(visitor.post(`${interaction}/consent`)),
      'post /:uid/abort': () => page(visitor.post(`${interaction}/abort`)),
      'get /details': () => page(member.go('/oidc/logout/details')),
      'oidc logout': () => page(member.go('/oidc/session/end?client_id=wiki')),
      'oidc logout, not logged in': () => page(createBrowser(OWN, [origin]).go('/oidc/session/end')),
      'oidc introspect': () =>
        request(`${origin}/oidc/token/introspection`, { form: { ...asked, token, client_secret: SECRET } }),
      'oidc authorize': () => page(createBrowser(OWN, [origin]).go(authorize)),
      'oidc authorize, logged in': () => page(member.go(authorize)),
      'oidc code': () =>
        request(`${origin}/oidc/token`, {
          form: { ...asked, grant_type: 'authorization_code', code, client_secret: SECRET },
        }),
      'oidc push': () => request(`${origin}/oidc/request`, { form: { ...asked, client_secret: SECRET } }),
      'oidc device': () => attemptTicket(origin),
      'oidc backchannel': () => push(subOf(another)),
      'oidc device, of an application': () => attemptTicket(origin, { form: { client_id: 'kiosk', scope: 'openid' } }),
      'oidc poll, of an application': () => redeem(origin, shown.device_code, { form: deviceForm(shown.device_code) }),
      'oidc redeem, of an application': () =>
        redeem(origin, allowed.device_code, { form: deviceForm(allowed.device_code) }),
      'oidc refresh': () => refresh(origin, kept.refresh_token),
      'oidc redeem': () => redeem(origin, agreed.device_code),
      'oidc poll': () => redeem(origin, fresh.device_code),
      'oidc phone, known': () => attemptPhoneToken(origin, 'demo:ada'),
      'oidc phone, new': () => attemptPhoneToken(origin, 'demo:nobody-yet'),
      'oidc exchange': async () =>
        request(`${origin}/oidc/token`, {
          form: {
            ...{ grant_type: TOKEN_EXCHANGE_GRANT, client_id: 'phone', subject_token_type: JWT },
            subject_token: await signer.sign({ jti: randomUUID() }),
          },
        }),
      'get /l/:ticket': () => request(`${origin}/l/${fresh.ticket}`),
      'get /phone': () => request(`${origin}/phone`),
      'get /.well-known/assetlinks.json': () => request(`${origin}/.well-known/assetlinks.json`),
      'get /.well-known/apple-app-site-association': () => request(`${origin}/.well-known/apple-app-site-association`),
      'oidc jwks': () => get('/oidc/jwks'),
    }
    const files = new URL('../src/', import.meta.url)
    const routes = readdirSync(files, { recursive: true, encoding: 'utf8' }).flatMap((file) =>
      !file.endsWith('.ts')
        ? []
        : [...readFileSync(new URL(file, files), 'utf8').matchAll(/router\.(get|post|put|delete)\(\s*'([^']+)'/g)].map(
            ([, method, path]) => `${method} ${path}`,
          ),
    )
    expect(routes.length).toBeGreaterThan(20)
    expect(Object.keys(doors)).toEqual(expect.arrayContaining(routes))

    const refused: string[] = []
    for (const [door, ask] of Object.entries(doors)) {
      const { status, headers, body } = await ask()
      const { code, error } = body as { code?: string; error?: string }
      if (status < 500) continue
      refused.push(door)
      const word = door.startsWith('oidc') ? { error: 'temporarily_unavailable' } : { code: 'REDIS_UNAVAILABLE' }
      expect({ door, status, code, error }).toMatchObject({ door, status: 503, ...word })
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect(refused).toEqual(
      expect.arrayContaining([
        'post /publish',
        'publish, the first of a channel',
        'post /tickets/:ticket/scan',
        'oidc device',
        'oidc exchange',
        'oidc refresh',
        'oidc redeem',
        'oidc backchannel',
        'oidc redeem, of a server',
      ]),
    )
    // Somebody can always be locked out and deleted, and say: this was not me.
    const possible = /^get \/sessions$|report$|disable|^delete \/accounts\/:sub$|administrator|logins|nodes|people/
    expect(refused.filter((door) => possible.test(door))).toEqual([])

    const events: Record<string, () => Promise<{ ok: boolean }>> = {
      watch: () => login.watch(fresh.device_code),
      subscribe: () => live.subscribe({ channel: room }),
      publish: () => live.publish({ channel: room, event: 'e', data: 1 }),
      presence: () => live.presence({ channel: room }),
      read: () => live.read({ channel: '@user', offset: 1 }),
      refresh: () => live.refresh({ token }),
      unsubscribe: () => live.unsubscribe({ channel: 'room:open-before' }),
    }
    for (const [event, ask] of Object.entries(events)) {
      const answer = await ask()
      if (!answer.ok) expect({ event, ...answer }).toMatchObject({ event, code: 'REDIS_UNAVAILABLE', react: 'retry' })
    }

    // Nothing was used up by what was refused.
    await free()
    await until(
      () => redeem(origin, agreed.device_code),
      ({ status }) => status === 200,
    )
    expect((await refresh(origin, kept.refresh_token)).status).toBe(200)
    expect((await redeem(origin, '', { form: deviceForm(allowed.device_code) })).status).toBe(200)
    expect((await takeSent(answered)).status).toBe(200)
    // The report has counted.
    expect(await takeSent(waiting)).toMatchObject({ status: 400, body: { error: 'access_denied' } })
    expect(await push(subOf(phone))).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
  })
})
