import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEVICE_CODE_GRANT } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import {
  type Answer,
  confirm,
  createTicket,
  onCleanup,
  phoneToken,
  plainEnv,
  reject,
  request,
  scan,
  startProcess,
  until,
} from '@saoma/testing'
import * as client from 'openid-client'
import { basic, block, claimsOf, partOf, startDeviceStage, TV_PAGE } from './device-stage.ts'
import { errorOf, SECRET } from './relying-party.ts'

/*
 * Devices of registered applications, such as a TV and a command line (RFC 8628), by an independent library.
 * Each request goes to the other node than the one before.
 */

const stage = await startDeviceStage()
const { cluster, folder, node, device, kiosk, printer, alice } = stage
const { ask, redeem, approve, loggedIn, me, sessionsOf, post } = stage

test('a person logs in a device, and what it gets is like any application’s', async () => {
  const asked = await ask(kiosk)
  expect(asked).toMatchObject({
    user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/),
    verification_uri: `${cluster.origin}/device`,
    verification_uri_complete: `${cluster.origin}/device?ticket=${asked.ticket}`,
    interval: 5,
    qr: `${cluster.origin}/v1/tickets/${asked.ticket}/qr`,
  })
  expect(await errorOf(redeem(kiosk, asked))).toBe('authorization_pending')
  const { request: shown } = await approve(asked, alice)
  expect(shown).toMatchObject({
    ...{ app: 'Kiosk', ip: '127.0.0.1', browser: '', os: '', userCode: asked.user_code },
    application: { party: 'first', scopes: ['openid', 'profile'] },
  })
  const tokens = await redeem(kiosk, asked)
  const { id_token = '', access_token } = tokens
  expect(partOf(id_token, 0).alg).toBe('RS256')
  const { sub, sid } = claimsOf(tokens)
  expect(tokens.claims()).toMatchObject({
    ...{ aud: 'kiosk', name: 'alice', acr: 'urn:saoma:acr:tap', amr: ['mca', 'user'] },
    auth_time: expect.any(Number),
  })
  expect(partOf(access_token, 1)).toMatchObject({ aud: `${cluster.origin}/oidc/me`, client_id: 'kiosk', sid })
  expect((await me(access_token)).body).toMatchObject({ sub, name: 'alice' })
  // It cannot act as the person.
  expect((await request(`${node()}/v1/sessions`, { bearer: access_token })).status).toBe(401)
  expect(await sessionsOf(alice)).toContainEqual(expect.objectContaining({ sid, client: 'kiosk', app: 'Kiosk' }))

  const fresh = await client.refreshTokenGrant(kiosk, tokens.refresh_token ?? '')
  expect(partOf(fresh.access_token, 1)).toMatchObject({ aud: `${cluster.origin}/oidc/me`, sid })
  expect(fresh.claims()).toMatchObject({ aud: 'kiosk', sid, acr: 'urn:saoma:acr:tap' })

  expect((await request(`${node()}/v1/sessions/${sid}`, { method: 'DELETE', bearer: alice })).status).toBe(200)
  expect((await me(fresh.access_token)).status).toBe(401)
  expect(await errorOf(client.refreshTokenGrant(kiosk, fresh.refresh_token ?? ''))).toBe('invalid_grant')
})

test('one end of all on the phone ends each device, and the login of one that has no tokens yet', async () => {
  const bob = await phoneToken(cluster.origin, 'bob')
  const devices = [await loggedIn(bob), await loggedIn(bob)]
  const waiting = await ask(kiosk)
  await approve(waiting, bob)
  const ended = await request<{ ended: number }>(`${node()}/v1/sessions`, { method: 'DELETE', bearer: bob })
  expect(ended.body).toEqual({ ended: 2 })
  for (const { access_token, refresh_token } of devices) {
    expect((await me(access_token)).status).toBe(401)
    expect(await errorOf(client.refreshTokenGrant(kiosk, refresh_token ?? ''))).toBe('invalid_grant')
  }
  expect(await errorOf(redeem(kiosk, waiting))).toBe('invalid_grant')
  expect(await sessionsOf(bob)).toEqual([])
})

test('a device of somebody else gets what its person has read, and nothing without', async () => {
  const asked = await ask(printer, { scope: 'openid phone made-up' })
  const { request: shown } = (await scan(node(), asked.ticket, alice)).body
  expect(shown).toMatchObject({
    app: 'Print shop',
    application: { party: 'third', scopes: ['openid', 'phone'] },
  })
  const say = (json?: unknown) =>
    confirm(node(), asked.ticket, alice, json === undefined ? {} : { json }) as Promise<Answer<unknown>>
  for (const body of [undefined, {}, { scopes: [] }, { scopes: ['openid'] }, { scopes: ['openid', 'profile'] }])
    expect(await say(body)).toMatchObject({ status: 409, body: { code: 'CONSENT_REQUIRED', react: 'stop' } })
  for (const body of [[], { scopes: 'openid phone' }, { scopes: [1] }])
    expect(await say(body)).toMatchObject({ status: 422, body: { code: 'INVALID' } })
  expect(await errorOf(redeem(printer, asked))).toBe('authorization_pending')
  expect((await say({ scopes: ['openid', 'phone'] })).status).toBe(200)
  const tokens = await redeem(printer, asked)
  expect(tokens.scope).toBe('openid phone')
  expect(tokens.claims()).not.toHaveProperty('name')
  // It has not registered them.
  expect(tokens.refresh_token).toBeUndefined()
  // Each login asks anew.
  const again = await ask(printer)
  await scan(node(), again.ticket, alice)
  expect((await confirm(node(), again.ticket, alice)).status).toBe(409)
})

test('a device of the business may ask for a token of the cluster, one of somebody else may not', async () => {
  const tokens = await loggedIn(alice, { resource: cluster.origin })
  const { sid } = claimsOf(tokens)
  expect(partOf(tokens.access_token, 1).aud).toBe(cluster.origin)
  expect((await sessionsOf(tokens.access_token)).filter((session) => 'current' in session && session.current)).toEqual([
    expect.objectContaining({ sid, client: 'kiosk' }),
  ])
  const fresh = await client.refreshTokenGrant(kiosk, tokens.refresh_token ?? '')
  expect(partOf(fresh.access_token, 1).aud).toBe(cluster.origin)
  expect(await errorOf(ask(printer, { resource: cluster.origin }))).toBe('invalid_target')
  expect(await errorOf(ask(kiosk, { resource: 'https://elsewhere.example' }))).toBe('invalid_target')
})

test('tokens of a device that proves a key are bound to it (DPoP)', async () => {
  const asked = await ask(kiosk)
  await approve(asked, alice)
  const DPoP = client.getDPoPHandle(kiosk, await client.randomDPoPKeyPair())
  const tokens = await redeem(kiosk, asked, { DPoP })
  expect(tokens.token_type).toBe('dpop')
  expect((await me(tokens.access_token)).status).toBe(401)
  expect(await errorOf(client.refreshTokenGrant(kiosk, tokens.refresh_token ?? ''))).toBe('invalid_grant')
})

test('polls are answered in the words of RFC 8628, whichever node they reach', async () => {
  const slow = await ask(kiosk)
  expect(await errorOf(redeem(kiosk, slow))).toBe('authorization_pending')
  expect(await errorOf(redeem(kiosk, slow))).toBe('slow_down')
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(() => close())
  const at = keys.ticket(slow.ticket)
  // Five seconds more for each poll that came too soon. It does not count itself, and half a second is free.
  expect(await data.hget(at, 'interval')).toBe('10000')
  await data.hincrby(at, 'polledAt', -9_600)
  expect(await errorOf(redeem(kiosk, slow))).toBe('authorization_pending')
  expect(await data.hget(at, 'interval')).toBe('10000')
  await data.hincrby(at, 'polledAt', -5_000)
  expect(await errorOf(redeem(kiosk, slow))).toBe('slow_down')
  // A person who has decided waits for no interval.
  await approve(slow, alice)
  const tokens = await redeem(kiosk, slow)
  expect(tokens.claims()?.aud).toBe('kiosk')
  expect(await errorOf(redeem(kiosk, slow))).toBe('invalid_grant')

  const declined = await ask(kiosk)
  await scan(node(), declined.ticket, alice)
  await reject(node(), declined.ticket, alice)
  expect(await errorOf(redeem(kiosk, declined))).toBe('access_denied')

  const late = await ask(kiosk)
  await data.hincrby(keys.ticket(late.ticket), 'deadline', -600_000)
  expect(await errorOf(redeem(kiosk, late))).toBe('expired_token')
})

test.each([
  ['scopes beyond its registration', { scope: 'openid phone' }, 'invalid_scope'],
  ['words that are no scopes', { scope: 'made-up' }, 'invalid_scope'],
  ['acr values that cannot be given', { acr_values: 'urn:example:vault' }, 'unmet_authentication_requirements'],
  [
    'the same as a claim',
    { claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:example:vault' } } }) },
    'unmet_authentication_requirements',
  ],
  ['one of several acr values', { acr_values: 'urn:example:vault urn:saoma:acr:tap' }, 'granted'],
])('asked for with %s', async (_what, params, error) => {
  expect(await errorOf(ask(kiosk, params))).toBe(error)
})

test('only whoever registered for it gets codes, and a code is its client’s alone', async () => {
  const tool = await device('tool', true)
  expect(await errorOf(ask(tool))).toBe('invalid_request')
  expect(await errorOf(ask(await device('nobody', true)))).toBe('invalid_client')
  const auth = await request(
    `${node()}/oidc/auth?client_id=kiosk&response_type=code&scope=openid&redirect_uri=https://tv.example.com/`,
  )
  expect(auth.status).toBe(400)
  const asked = await ask(printer)
  await approve(asked, alice, ['openid', 'profile'])
  const grant = { grant_type: DEVICE_CODE_GRANT, device_code: asked.device_code }
  expect(await errorOf(redeem(kiosk, asked))).toBe('invalid_grant')
  const wrong: Record<string, string>[] = [{}, { client_secret: '' }, { client_secret: 'wrong' }]
  for (const more of wrong)
    expect(await post('/oidc/token', { ...grant, client_id: 'printer', ...more })).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    })
  const own = { client_id: 'printer', scope: 'openid' }
  expect((await post('/oidc/device/auth', own)).body.error).toBe('invalid_client')
  expect((await post('/oidc/device/auth', { ...own, client_secret: SECRET })).status).toBe(200)
  expect((await redeem(printer, asked)).claims()?.aud).toBe('printer')
})

test('an empty password of a client without a secret counts as none', async () => {
  const form = { client_id: 'kiosk', scope: 'openid' }
  const asked = await post('/oidc/device/auth', form, basic('kiosk', ''))
  expect(asked.status).toBe(200)
  const { ticket = '', device_code = '' } = asked.body
  await approve({ ticket }, alice)
  const grant = { grant_type: DEVICE_CODE_GRANT, device_code, client_id: 'kiosk' }
  const { client_id: _, ...unnamed } = grant
  const tokens = await post('/oidc/token', unnamed, basic('kiosk', ''))
  expect(tokens.status).toBe(200)
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens.body.refresh_token ?? '' }
  expect((await post('/oidc/token', refresh, basic('kiosk', ''))).status).toBe(200)
  const refused = async (id: string, password: string, more: Record<string, string> = form) =>
    (await post('/oidc/device/auth', more, basic(id, password))).status
  expect(await refused('kiosk', 'a password')).toBe(401)
  // One that has a secret must show it, and nobody becomes another by a header.
  expect(await refused('printer', '', { ...form, client_id: 'printer' })).toBe(400)
  expect(await refused('kiosk', '', { ...form, client_id: 'printer' })).toBe(400)
  expect(await refused('kiosk', '', { ...form, client_id: 'tv' })).toBe(400)
  expect(await refused('web', '', { ...form, client_id: 'web' })).toBe(400)
  expect(await refused('nobody', '', { ...form, client_id: 'nobody' })).toBe(400)
})

test('a typed code leads to its device, those of pages do not, and guesses are limited', async () => {
  const type = (userCode: unknown, network = '203.0.113.7') =>
    request<Record<string, string>>(`${node()}/v1/user-codes`, {
      json: { userCode },
      headers: { 'content-type': 'application/json', 'x-forwarded-for': network },
    })
  const asked = await ask(kiosk)
  for (const typed of [asked.user_code, ` ${asked.user_code.toLowerCase().replace('-', ' ')} `])
    expect(await type(typed)).toMatchObject({ status: 200, body: { ticket: asked.ticket, app: 'Kiosk' } })
  const { user_code: ofPage } = await createTicket(cluster.origin)
  for (const typed of [ofPage, 'BBBB-BBBB', ''])
    expect(await type(typed)).toMatchObject({ status: 404, body: { code: 'TICKET_NOT_FOUND' } })
  for (const typed of [undefined, 1, 'B'.repeat(33)]) expect((await type(typed)).status).toBe(422)
  const answers: Answer<unknown>[] = []
  for (let i = 0; i < 30; i++) answers.push(await type('CCCC-CCCC'))
  const limited = answers.filter(({ status }) => status === 429)
  expect(limited.length).toBe(5)
  expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await type(asked.user_code, '198.51.100.7')).status).toBe(200)
  // Phones have a limit of their own.
  expect((await request(`${node()}/v1/user-codes/${asked.user_code}`, { bearer: alice })).status).toBe(200)
})

test('no code is left in a file of cookies, and a page on a TV is admitted by its origin', async () => {
  const form = { client_id: 'kiosk', scope: 'openid' }
  const plain = await post('/oidc/device/auth', form)
  expect(plain.headers.get('set-cookie')).toBeNull()
  const page = await post('/oidc/device/auth', form, { origin: TV_PAGE })
  expect([page.status, page.headers.get('access-control-allow-origin')]).toEqual([200, TV_PAGE])
  const grant = { grant_type: DEVICE_CODE_GRANT, device_code: page.body.device_code ?? '', client_id: 'kiosk' }
  const polled = await post('/oidc/token', grant, { origin: TV_PAGE })
  expect([polled.body.error, polled.headers.get('access-control-allow-origin')]).toEqual([
    'authorization_pending',
    TV_PAGE,
  ])
  expect((await post('/oidc/device/auth', form, { origin: 'https://evil.example' })).status).toBe(403)
})

test('whoever follows the page has a command line that logs in', async () => {
  await writeFile(
    join(folder, 'tv.mjs'),
    block('pollDeviceAuthorizationGrant').replaceAll('http://127.0.0.1:8080', cluster.origin),
  )
  const [, ...args] = block('node tv.mjs').trim().split(' ')
  const program = await startProcess({ name: 'tv.mjs', command: process.execPath, args, cwd: folder })
  const { text } = await program.nextLine((line) => line.text.startsWith('Open '))
  const [, page, userCode] = /^Open (\S+) and type (\S+)$/.exec(text) ?? []
  expect(page).toBe(`${cluster.origin}/device`)
  const { body } = await request<{ ticket: string }>(`${node()}/v1/user-codes`, { json: { userCode } })
  await approve(body, alice)
  await program.nextLine((line) => line.text === 'Hello, alice.')
  expect((await program.exited).code).toBe(0)
})

const agent = 'oidc-agent of Debian logs in as it is, and one end of all ends it'
const withAgent: jest.It = spawnSync('oidc-agent', ['--version']).status === 0 ? test : test.skip
withAgent(withAgent === test.skip ? `${agent}: oidc-agent-cli is not installed` : agent, async () => {
  const config = join(folder, 'oidc-agent')
  await mkdir(config)
  const shell = await startProcess({
    name: 'oidc-agent',
    command: 'sh',
    args: ['-c', block('oidc-gen').replaceAll('http://127.0.0.1:8080', cluster.origin)],
    env: { ...plainEnv(), OIDC_CONFIG_DIR: config },
    cwd: folder,
  })
  const line = async (form: RegExp) => form.exec((await shell.nextLine(({ text }) => form.test(text))).text)?.[1] ?? ''
  const pid = Number(await line(/^Agent pid (\d+)/))
  onCleanup(async () => void process.kill(pid))
  const userCode = await line(/enter the code: (\S+)/)
  const { body } = await request<{ ticket: string }>(`${node()}/v1/user-codes`, { json: { userCode } })
  const erin = await phoneToken(cluster.origin, 'erin')
  await approve(body, erin)
  const token = await line(/^(eyJ\S+)/)
  expect((await shell.exited).code).toBe(0)
  expect((await me(token)).body).toMatchObject({ name: 'erin' })
  expect(await sessionsOf(erin)).toEqual([expect.objectContaining({ client: 'tv', app: 'Lobby TV' })])
  await request(`${node()}/v1/sessions`, { method: 'DELETE', bearer: erin })
  expect((await me(token)).status).toBe(401)
})

test('the record of what happened names the device', async () => {
  const gina = await phoneToken(cluster.origin, 'gina')
  const tokens = await loggedIn(gina)
  const { sid } = claimsOf(tokens)
  const entries = await until(
    async () =>
      (
        await request<{ entries: { kind: string; client?: string; sid?: string; mode?: string }[] }>(
          `${node()}/v1/me/activity?limit=100`,
          { bearer: gina },
        )
      ).body.entries,
    (all) => all.some(({ kind }) => kind === 'login.redeemed'),
  )
  expect(entries).toContainEqual(expect.objectContaining({ kind: 'login.redeemed', client: 'kiosk', sid, mode: 'tap' }))
})

test('whichever node dies between two steps, the device is logged in', async () => {
  const [first, second] = cluster.nodes
  if (!first || !second) throw new Error('there are two nodes')
  /** Repeats a step that found no node, like every client that people run. */
  const patient = async (step: (origin: string) => Promise<Answer<unknown>>): Promise<Answer<unknown>> => {
    const answer = await until(
      () => step(cluster.origin).catch(() => undefined),
      (got) => got !== undefined && got.status < 500,
    )
    return answer ?? Promise.reject(new Error('no answer'))
  }
  const form = { client_id: 'kiosk', scope: 'openid profile' }
  const asked = (await patient((origin) => request(`${origin}/oidc/device/auth`, { form }))).body
  const { ticket, device_code, user_code } = asked as Record<'ticket' | 'device_code' | 'user_code', string>
  const grant = { grant_type: DEVICE_CODE_GRANT, device_code, client_id: 'kiosk' }
  const poll = () => patient((origin) => request(`${origin}/oidc/token`, { form: grant }))
  await first.kill()
  expect((await poll()).body).toMatchObject({ error: 'authorization_pending' })
  const found = await patient((origin) => request(`${origin}/v1/user-codes/${user_code}`, { bearer: alice }))
  expect(found.body).toEqual({ ticket })
  expect((await patient((origin) => scan(origin, ticket, alice))).status).toBe(200)
  await first.restart()
  await second.kill()
  expect((await patient((origin) => confirm(origin, ticket, alice))).status).toBe(200)
  await second.restart()
  await first.kill()
  const tokens = (await poll()).body as Record<string, string>
  expect(partOf(tokens.id_token ?? '', 1)).toMatchObject({ aud: 'kiosk', name: 'alice' })
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '', client_id: 'kiosk' }
  const refreshed = await patient((origin) => request(`${origin}/oidc/token`, { form: refresh }))
  expect(refreshed.status).toBe(200)
})
