import { DEVICE_CODE_GRANT } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import {
  attemptTicket,
  type Cluster,
  connectLogin,
  createTicket,
  openEvents,
  phoneToken,
  poll,
  redeem,
  refresh,
  request,
  startCluster,
  until,
} from '@saoma/testing'
import { errorIn } from './relying-party.ts'
import {
  AWAY,
  beginLogin,
  from,
  HOME,
  HOME_V6,
  logInAt,
  modeClients,
  modeDevices,
  otherThan,
  phoneAt,
  type TestPhone,
} from './verification-actors.ts'

let cluster: Cluster
let alice: TestPhone
const nodes = () => cluster.nodes.map(({ origin }) => origin)
const node = (i: number) => nodes()[i] ?? ''

beforeAll(async () => {
  const clients = JSON.stringify([...JSON.parse(modeClients), ...JSON.parse(modeDevices)])
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: clients, SAOMA_VERIFY: 'number' } })
  alice = phoneAt(cluster, await phoneToken(cluster.origin, 'alice'), HOME)
})
afterAll(() => cluster.stop())

/** A code of our own page, which can display a number. */
const ask = (address = HOME) =>
  createTicket(node(0), {
    form: { client_id: 'web', scope: 'openid profile offline_access', verification: 'number' },
    ...from(address),
  })
const wrong = { status: 409, body: { code: 'VERIFICATION_WRONG', react: 'stop' } }
const required = { status: 409, body: { code: 'VERIFICATION_REQUIRED', react: 'stop' } }
const decodeClaims = (jwt = '..'): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())

test('a page that does not say that it shows a number gets no code, and a sentence', async () => {
  for (const verification of [undefined, 'passkey', 'numbers']) {
    const form = { client_id: 'web', scope: 'openid', ...(verification ? { verification } : {}) }
    expect(await attemptTicket(cluster.origin, { form })).toMatchObject({
      status: 409,
      body: {
        error: 'invalid_request',
        code: 'VERIFICATION_REQUIRED',
        react: 'stop',
        detail: expect.stringContaining('verification=number'),
      },
    })
  }
})

test('the number reaches the page by socket, stream and poll, and the phone at no door', async () => {
  const { ticket, device_code } = await ask()
  const socket = connectLogin(node(1))
  await socket.watch(device_code)
  const stream = await openEvents(`${node(1)}/v1/tickets/${ticket}`, { bearer: device_code })
  const pending = (await stream.next('ticket')).data
  expect(pending).toMatchObject({ status: 'pending' })
  expect(pending).not.toHaveProperty('number')
  const held = poll(node(0), device_code, { after: 1 })
  const scanned = await alice.scan(ticket)
  expect(scanned.body).toMatchObject({ verification: 'number', state: { status: 'scanned' } })
  const { number = 'none' } = (await held).body
  expect(number).toMatch(/^[1-9]\d$/)
  expect(await socket.next('ticket')).toMatchObject({ status: 'scanned', number })
  expect((await stream.next('ticket')).data).toMatchObject({ status: 'scanned', number })
  const late = connectLogin(node(0))
  expect(await late.watch(device_code)).toMatchObject({ state: { status: 'scanned', number } })
  const told = [
    scanned,
    await alice.scan(ticket),
    await alice.confirm(ticket),
    await alice.confirm(ticket, otherThan(number)),
    await alice.confirm(ticket, number),
  ]
  for (const { body } of told) expect(JSON.stringify(body)).not.toMatch(new RegExp(`"number":|"${number}"`))
  expect(told.at(-1)).toMatchObject({ status: 200, body: { state: { status: 'confirmed' } } })
  expect(await socket.next('ticket')).not.toHaveProperty('number')
  const tokens = (await redeem(node(1), device_code)).body
  for (const jwt of [tokens.access_token, tokens.id_token ?? ''])
    expect(decodeClaims(jwt)).toMatchObject({ acr: 'urn:saoma:acr:number' })
  expect(decodeClaims(tokens.id_token)).toMatchObject({ amr: ['mca', 'user'] })
  // A refresh is no new login.
  const next = (await refresh(node(0), tokens.refresh_token)).body
  for (const jwt of [next.access_token, next.id_token ?? ''])
    expect(decodeClaims(jwt)).toMatchObject({ acr: 'urn:saoma:acr:number' })
  socket.close()
  late.close()
  await stream.ended
})

test('a phone that knows no numbers is told that there is more to do, and nothing is lost', async () => {
  const { ticket, device_code } = await ask()
  await alice.scan(ticket)
  expect(await alice.confirm(ticket)).toMatchObject(required)
  expect((await poll(node(0), device_code)).body.status).toBe('scanned')
  for (const number of ['7', '470', 'xx', 47])
    expect(await alice.confirm(ticket, number as string)).toMatchObject({ status: 422, body: { code: 'INVALID' } })
  const { number } = (await poll(node(0), device_code)).body
  expect((await alice.confirm(ticket, number)).status).toBe(200)
})

test('three wrong numbers refuse the login, and five the person for a while', async () => {
  const token = await phoneToken(cluster.origin, 'bob')
  const bob = phoneAt(cluster, token, HOME)
  const { ticket, device_code } = await ask()
  await bob.scan(ticket)
  const { number = '' } = (await poll(node(0), device_code)).body
  for (const left of [2, 1, 0])
    expect(await bob.confirm(ticket, otherThan(number, 3 - left))).toMatchObject({ ...wrong, body: { left } })
  expect(await bob.confirm(ticket, number)).toMatchObject({ status: 409, body: { code: 'TICKET_SETTLED' } })
  expect((await poll(node(1), device_code)).body.status).toBe('rejected')
  expect((await redeem(node(0), device_code)).body).toMatchObject({ error: 'access_denied' })
  const second = await ask()
  await bob.scan(second.ticket)
  const shown = (await poll(node(0), second.device_code)).body.number ?? ''
  await bob.confirm(second.ticket, otherThan(shown, 1))
  await bob.confirm(second.ticket, otherThan(shown, 2))
  // Not even the right one now: it could be a guess.
  expect(await bob.confirm(second.ticket, shown)).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
})

test('the record of what happened says how a login was verified', async () => {
  const token = await phoneToken(cluster.origin, 'carol')
  const carol = phoneAt(cluster, token, HOME)
  const { tokens } = await logInAt(cluster, 'network', carol)
  const { ticket, device_code } = await ask()
  await carol.scan(ticket)
  await carol.confirm(ticket, (await poll(node(0), device_code)).body.number)
  await redeem(node(0), device_code)
  const entries = await until(
    async () => {
      const { body } = await request<{ entries: { kind: string; mode?: string; client?: string }[] }>(
        `${cluster.origin}/v1/me/activity?limit=100`,
        { bearer: token },
      )
      return body.entries.filter(({ kind }) => kind === 'login.redeemed')
    },
    (all) => all.length === 2,
  )
  expect(entries.map(({ client: id, mode }) => [id, mode])).toEqual([
    ['web', 'number'],
    ['network', 'network'],
  ])
  expect(tokens?.claims()?.acr).toBe('urn:saoma:acr:network')
})

test('an application that does not say it gets what the cluster says, and its access token tells', async () => {
  const { tokens } = await logInAt(cluster, 'unsaid', alice)
  expect(tokens?.claims()).toMatchObject({ acr: 'urn:saoma:acr:number' })
  expect(decodeClaims(tokens?.access_token)).toMatchObject({ acr: 'urn:saoma:acr:number' })
})

test('a phone of another network is told to join, and may then go on', async () => {
  const login = await beginLogin(cluster, 'network', HOME)
  const away = phoneAt(cluster, await phoneToken(cluster.origin, 'alice'), AWAY)
  expect(await away.scan(login.ticket)).toMatchObject(required)
  expect((await login.state()).body.status).toBe('pending')
  expect((await alice.scan(login.ticket)).body).toMatchObject({ verification: 'network', sameNetwork: true })
  // Whoever leaves the network before the yes has to come back.
  expect(await away.confirm(login.ticket)).toMatchObject(required)
  expect((await alice.confirm(login.ticket)).status).toBe(200)
  expect((await login.finish()).tokens?.claims()).toMatchObject({ acr: 'urn:saoma:acr:network' })
})

test('devices of one IPv6 network are in one network', async () => {
  const login = await beginLogin(cluster, 'network', HOME_V6[0])
  const token = await phoneToken(cluster.origin, 'alice')
  expect(await phoneAt(cluster, token, '2001:db8:1:3::a').scan(login.ticket)).toMatchObject(required)
  const near = phoneAt(cluster, token, HOME_V6[1])
  expect((await near.scan(login.ticket)).status).toBe(200)
  expect((await near.confirm(login.ticket)).status).toBe(200)
})

test('where the operator allows it, a number takes the place of the network', async () => {
  const far = phoneAt(cluster, await phoneToken(cluster.origin, 'alice'), AWAY)
  const near = await beginLogin(cluster, 'network-or-number', HOME)
  expect((await alice.scan(near.ticket)).body.verification).toBe('network')
  expect((await alice.confirm(near.ticket)).status).toBe(200)
  expect((await near.finish()).tokens?.claims()).toMatchObject({ acr: 'urn:saoma:acr:network' })
  const login = await beginLogin(cluster, 'network-or-number', HOME)
  expect((await far.scan(login.ticket)).body.verification).toBe('number')
  expect(await far.confirm(login.ticket)).toMatchObject(required)
  expect((await far.confirm(login.ticket, await login.number())).status).toBe(200)
  expect((await login.finish()).tokens?.claims()).toMatchObject({ acr: 'urn:saoma:acr:number' })
})

describe('single sign-on', () => {
  test('a session that was begun with less is asked again, and keeps its name', async () => {
    const first = await logInAt(cluster, 'tap', alice)
    const { browser } = first
    expect(
      (await logInAt(cluster, 'network-or-number', alice, { browser, more: { prompt: 'none' } })).location,
    ).toMatch(/error=login_required/)
    const second = await logInAt(cluster, 'number', alice, { browser })
    expect(second.isAsked).toBe(true)
    expect(second.tokens?.claims()).toMatchObject({ acr: 'urn:saoma:acr:number', sid: first.tokens?.claims()?.sid })
    // It is enough for everything that asks for less, or for the same.
    for (const id of ['tap', 'number', 'unsaid', 'network-or-number']) {
      const next = await logInAt(cluster, id, alice, { browser })
      expect([next.isAsked, next.tokens?.claims()?.acr]).toEqual([false, 'urn:saoma:acr:number'])
    }
    const third = await logInAt(cluster, 'network', alice, { browser })
    expect([third.isAsked, third.tokens?.claims()?.acr]).toEqual([true, 'urn:saoma:acr:network'])
    expect((await logInAt(cluster, 'number', alice, { browser })).isAsked).toBe(false)
  })

  test('an application may ask for more than its own, by acr_values and by the claim', async () => {
    const { browser } = await logInAt(cluster, 'tap', alice)
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:saoma:acr:network' } } })
    for (const [more, acr] of [
      [{ acr_values: 'urn:saoma:acr:number' }, 'urn:saoma:acr:number'],
      [{ claims }, 'urn:saoma:acr:network'],
    ] as const) {
      const { isAsked, tokens } = await logInAt(cluster, 'tap', alice, { browser, more })
      expect([isAsked, tokens?.claims()?.acr]).toEqual([true, acr])
      expect((await logInAt(cluster, 'tap', alice, { browser, more })).isAsked).toBe(false)
    }
  })

  test('what cannot be given is an error, and no silent yes', async () => {
    const { browser } = await logInAt(cluster, 'tap', alice)
    const only = (value: string) => JSON.stringify({ id_token: { acr: { essential: true, value } } })
    for (const [id, more] of [
      ['tap', { acr_values: 'urn:saoma:acr:passkey' }],
      ['tap', { acr_values: 'urn:example:vault' }],
      // The application itself demands more than it asks for here.
      ['number', { claims: only('urn:saoma:acr:tap') }],
    ] as const) {
      const { location, isAsked } = await logInAt(cluster, id, alice, { browser, more })
      expect([isAsked, errorIn(location)]).toEqual([false, 'unmet_authentication_requirements'])
    }
  })

  test('a login that turns out to be less than demanded is an error', async () => {
    const login = await beginLogin(cluster, 'number', HOME)
    await alice.scan(login.ticket)
    await alice.confirm(login.ticket, await login.number())
    // As if a node of a former version had taken the yes, which knows of no numbers.
    const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
    await data.hdel(keys.ticket(login.ticket), 'mode')
    await close()
    expect(errorIn((await login.finish()).location)).toBe('unmet_authentication_requirements')
  })

  test('a page that shows no number can still take part by its network', async () => {
    const login = await beginLogin(cluster, 'network-or-number', HOME, { shows: '' })
    const far = phoneAt(cluster, await phoneToken(cluster.origin, 'alice'), AWAY)
    expect(await far.scan(login.ticket)).toMatchObject(required)
    expect((await alice.scan(login.ticket)).body.verification).toBe('network')
  })
})

describe('devices of applications', () => {
  const SCOPES = ['openid', 'profile', 'offline_access']
  const form = (demand: string, more: Record<string, string> = {}) => ({
    client_id: `tv-${demand}`,
    scope: SCOPES.join(' '),
    ...more,
  })
  const tokensOf = (demand: string, device_code: string) =>
    request<{ access_token: string; id_token: string; refresh_token: string }>(`${node(0)}/oidc/token`, {
      form: { grant_type: DEVICE_CODE_GRANT, client_id: `tv-${demand}`, device_code },
    })
  const consent = { status: 409, body: { code: 'CONSENT_REQUIRED' } }

  test('one that shows no number gets no code where a number is demanded', async () => {
    expect(await attemptTicket(node(0), { form: form('number') })).toMatchObject({
      status: 409,
      body: { error: 'invalid_request', code: 'VERIFICATION_REQUIRED' },
    })
    expect(
      await attemptTicket(node(1), { form: form('network', { acr_values: 'urn:saoma:acr:number' }) }),
    ).toMatchObject({ status: 200 })
    expect(
      await attemptTicket(node(1), { form: form('number', { acr_values: 'urn:saoma:acr:passkey' }) }),
    ).toMatchObject({ status: 400, body: { error: 'unmet_authentication_requirements' } })
  })

  test.each(['network', 'network-or-number'])(
    'with %s it needs the network, and what the phone has shown',
    async (demand) => {
      const { ticket, device_code } = await createTicket(node(1), { form: form(demand), ...from(HOME) })
      const away = phoneAt(cluster, await phoneToken(cluster.origin, 'alice'), AWAY)
      expect(await away.scan(ticket)).toMatchObject(required)
      expect((await alice.scan(ticket)).body).toMatchObject({
        opened: 'scanned',
        verification: 'network',
        request: { application: { party: 'third', scopes: SCOPES } },
      })
      expect(await alice.confirm(ticket)).toMatchObject(consent)
      expect(await away.confirm(ticket, undefined, SCOPES)).toMatchObject(required)
      expect((await alice.confirm(ticket, undefined, SCOPES)).status).toBe(200)
      const tokens = (await tokensOf(demand, device_code)).body
      const next = (
        await request<typeof tokens>(`${node(1)}/oidc/token`, {
          form: { grant_type: 'refresh_token', client_id: `tv-${demand}`, refresh_token: tokens.refresh_token },
        })
      ).body
      for (const { access_token, id_token } of [tokens, next])
        for (const jwt of [access_token, id_token])
          expect(decodeClaims(jwt)).toMatchObject({ acr: 'urn:saoma:acr:network' })
    },
  )

  test('one that shows it needs both in one yes: the number, and what the phone has shown', async () => {
    const asked = form('number', { verification: 'number' })
    const { ticket, device_code } = await createTicket(node(0), { form: asked, ...from(AWAY) })
    expect((await alice.scan(ticket)).body.verification).toBe('number')
    const number = (await poll(node(1), device_code)).body.number ?? ''
    expect(await alice.confirm(ticket, number)).toMatchObject(consent)
    expect(await alice.confirm(ticket, undefined, SCOPES)).toMatchObject(required)
    expect(await alice.confirm(ticket, otherThan(number), SCOPES)).toMatchObject(wrong)
    expect((await alice.confirm(ticket, number, SCOPES)).status).toBe(200)
    expect(decodeClaims((await tokensOf('number', device_code)).body.id_token)).toMatchObject({
      acr: 'urn:saoma:acr:number',
      amr: ['mca', 'user'],
    })
  })
})

test('the keys of a login are gone with it', async () => {
  const { ticket, device_code } = await ask()
  await alice.scan(ticket)
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  const fields = await data.hgetall(keys.ticket(ticket))
  expect(fields).toMatchObject({ verify: 'number', mode: 'number', network: HOME, number: expect.any(String) })
  expect(await data.pexpiretime(keys.ticket(ticket))).toBe(Number(fields.deadline) + 300_000)
  await close()
  expect((await poll(node(0), device_code)).body.number).toBe(fields.number)
})

test('discovery lists what may be asked for', async () => {
  const { body } = await request<{ acr_values_supported: string[] }>(
    `${cluster.origin}/oidc/.well-known/openid-configuration`,
  )
  expect(body.acr_values_supported).toEqual(['urn:saoma:acr:tap', 'urn:saoma:acr:number', 'urn:saoma:acr:network'])
})
