import { createRedis } from '@saoma/redis'
import {
  attemptPhoneToken,
  type Cluster,
  confirm,
  connectLogin,
  createTicket,
  loginDoors,
  metricOf,
  onCleanup,
  openEvents,
  poll,
  redeem,
  request,
  scan,
  startCluster,
} from '@saoma/testing'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { nodeAt } from './fixtures.ts'

/* The number that WeChat's button gives: to the business, into the account, and to those who may read it. */

const NUMBER = '+8613800138000'
const BARE = '13800138000'
const PATH = '/wxa/business/getuserphonenumber'
const NAME = 'Private Person'
/** One without a hook, one that asks at birth, one that asks at each login. */
let alone: Cluster
let asking: Cluster
let always: Cluster
let business: BusinessServer

beforeAll(async () => {
  business = await startBusinessServer(json({ allow: true }))
  const hook = { SAOMA_ACCOUNT_URL: business.url, SAOMA_ACCOUNT_SECRET: 'a secret of the account hook' }
  const start = (env: Record<string, string>) =>
    startCluster({ nodes: 2, simulator: true, env: { SAOMA_DEMO: 'false', ...env } })
  alone = await start({ SAOMA_LIMIT_BAD_PHONE_CODES: '8' })
  asking = await start(hook)
  always = await start({ ...hook, SAOMA_ACCOUNT_WHEN: 'login' })
})
beforeEach(() => {
  business.questions.length = 0
  business.answer = json({ allow: true })
})
afterEach(async () => {
  for (const { simulator } of [alone, asking, always])
    await request(`${simulator?.origin}/simulator/faults`, { method: 'DELETE' })
})

const claimsOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const tell = async <T>({ simulator }: Cluster, path: string, body: object): Promise<T> =>
  (await request<T>(`${simulator?.origin}/simulator${path}`, { json: body })).body
const press = async (cluster: Cluster, number = BARE) =>
  (await tell<{ code: string }>(cluster, '/phone', { number })).code
const callsOf = async ({ simulator }: Cluster): Promise<number> =>
  (await request<{ calls: Record<string, number> }>(`${simulator?.origin}/simulator/counters`)).body.calls[PATH] ?? 0
/** The exchange of a phone, at one of the nodes. */
const phone = async (cluster: Cluster, person: string, phone_code?: string, node = 0) => {
  const { js_code: code } = await tell<{ js_code: string }>(cluster, '/login', { person })
  const { origin } = nodeAt(cluster.nodes, node)
  const form = { grant_type: 'urn:saoma:grant-type:wx-code', client_id: 'phone', code }
  return attemptPhoneToken(origin, code, { form: { ...form, ...(phone_code === undefined ? {} : { phone_code }) } })
}
const logIn = async (cluster: Cluster, person: string, scope = 'openid profile phone') => {
  const { body: ticket } = await request<Awaited<ReturnType<typeof createTicket>>>(
    `${cluster.origin}/oidc/device/auth`,
    { form: { client_id: 'web', scope } },
  )
  const { access_token: token } = (await phone(cluster, person)).body
  await scan(cluster.origin, ticket.ticket, token)
  await confirm(cluster.origin, ticket.ticket, token)
  return (await redeem(cluster.origin, ticket.device_code)).body
}
const me = async (cluster: Cluster, bearer: string) =>
  (await request<Record<string, unknown>>(`${cluster.origin}/oidc/me`, { bearer })).body
const contentsOf = async (cluster: Cluster): Promise<string> => {
  const { data, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(close)
  const names = await data.keys('*')
  const values = await Promise.all(
    names.map(async (name) => {
      const type = await data.type(name)
      if (type === 'string') return data.get(name)
      return type === 'hash' ? data.hgetall(name) : type === 'stream' ? data.xrange(name, '-', '+') : ''
    }),
  )
  return JSON.stringify([names, values])
}

test('without a business the number is kept sealed, and read with the scope phone, as verified', async () => {
  const code = await press(alone)
  const first = await phone(alone, 'ann', code)
  expect(first).toMatchObject({ status: 200, body: { phone_code: 'accepted' } })
  expect(JSON.stringify(first.body)).not.toContain(BARE)
  expect(claimsOf(first.body.access_token)).not.toHaveProperty('phone_number')
  const { access_token, id_token } = await logIn(alone, 'ann')
  const told = { phone_number: NUMBER, phone_number_verified: true }
  expect(claimsOf(id_token)).toMatchObject(told)
  expect(await me(alone, access_token)).toEqual({ sub: claimsOf(id_token).sub, ...told })
  const other = await logIn(alone, 'ann', 'openid profile')
  expect(claimsOf(other.id_token)).not.toHaveProperty('phone_number')
  expect(await me(alone, other.access_token)).toEqual({ sub: claimsOf(id_token).sub })

  const all = await contentsOf(alone)
  for (const personal of [BARE, code]) expect(all).not.toContain(personal)
  for (const { lines } of alone.nodes) expect(lines.map(({ text }) => text).join()).not.toContain(BARE)
})

test('somebody who is known gives a number later, or another one', async () => {
  const { access_token } = await logIn(alone, 'late')
  expect(await me(alone, access_token)).not.toHaveProperty('phone_number')
  for (const number of [BARE, '13900139000']) {
    expect((await phone(alone, 'late', await press(alone, number), 1)).body).toMatchObject({ phone_code: 'accepted' })
    expect(await me(alone, access_token)).toMatchObject({ phone_number: `+86${number}`, phone_number_verified: true })
  }
  // A login without the button changes nothing.
  expect((await phone(alone, 'late')).body).not.toHaveProperty('phone_code')
  expect(await me(alone, access_token)).toMatchObject({ phone_number: '+8613900139000' })
})

test.each(['a made-up code', 'a used one', 'an old one'])('%s loses the number, and not the login', async (which) => {
  const code = which === 'a made-up code' ? 'f'.repeat(64) : await press(alone)
  if (which === 'a used one') await phone(alone, 'somebody else', code)
  if (which === 'an old one') await tell(alone, '/clock/advance', { ms: 300_001 })
  const { status, body } = await phone(alone, which, code)
  expect([status, body]).toMatchObject([200, { phone_code: 'rejected', access_token: expect.any(String) }])
  expect(await me(alone, (await logIn(alone, which)).access_token)).not.toHaveProperty('phone_number')
})

test.each([
  ['is down', { kind: 'down' }],
  ['says "too often"', { kind: 'errcode', errcode: 45011 }],
  ['does not let this app ask', { kind: 'errcode', errcode: 48001 }],
])('whoever comes while WeChat %s gets in without the number, and may give it later', async (what, fault) => {
  const code = await press(alone)
  await tell(alone, '/faults', { path: PATH, ...fault })
  const person = `comes while WeChat ${what}`
  expect(await phone(alone, person, code)).toMatchObject({ status: 200, body: { phone_code: 'unavailable' } })
  await request(`${alone.simulator?.origin}/simulator/faults`, { method: 'DELETE' })
  expect((await phone(alone, person, await press(alone))).body).toMatchObject({ phone_code: 'accepted' })
})

test('codes for numbers that WeChat refuses count against their network, like those of wx.login', async () => {
  const before = await callsOf(alone)
  const statuses: number[] = []
  for (let i = 0; i < 9; i++) statuses.push((await phone(alone, 'guesser', `${i}`.repeat(64))).status)
  expect([statuses[0], statuses.at(-1)]).toEqual([200, 429])
  expect((await callsOf(alone)) - before).toBeLessThan(9)
  expect(await metricOf(nodeAt(alone.nodes, 0), 'saoma_ratelimited_total{what="bad_phone_codes"}')).toBeGreaterThan(0)
})

describe('with a business', () => {
  test('it is told the number at birth. What it does not say itself is kept beside its claims', async () => {
    business.answer = json({ allow: true, sub: 'beside', claims: { name: 'Ann' } })
    expect((await phone(asking, 'ann', await press(asking))).body).toMatchObject({ phone_code: 'accepted' })
    expect(business.questions[0]?.body).toMatchObject({ action: 'birth', phone_number: NUMBER })
    const { id_token } = await logIn(asking, 'ann')
    expect(claimsOf(id_token)).toMatchObject({
      ...{ sub: 'beside', name: 'Ann', phone_number: NUMBER, phone_number_verified: true },
    })
  })

  test('its own number counts. It is verified only if it is the one that WeChat told', async () => {
    const saying = (phone_number: string) => json({ allow: true, claims: { phone_number } })
    business.answer = saying('+8613900139000')
    await phone(always, 'own', await press(always))
    const other = claimsOf((await logIn(always, 'own')).id_token)
    expect(other.phone_number).toBe('+8613900139000')
    expect(other).not.toHaveProperty('phone_number_verified')
    business.answer = saying(NUMBER)
    await phone(always, 'own', await press(always))
    const same = { phone_number: NUMBER, phone_number_verified: true }
    expect(claimsOf((await logIn(always, 'own')).id_token)).toMatchObject(same)
    // Its later claims, which have no number, replace everything but what WeChat has told.
    business.answer = json({ allow: true, claims: { name: 'Ann' } })
    expect(claimsOf((await logIn(always, 'own')).id_token)).toMatchObject({ name: 'Ann', ...same })
  })

  test('somebody new whose code is refused has to press again, and nobody is born meanwhile', async () => {
    const refused = await phone(asking, 'refused', 'f'.repeat(64))
    expect(refused).toMatchObject({ status: 409, body: { code: 'PHONE_CODE_REJECTED', react: 'stop' } })
    expect(business.questions).toEqual([])
    expect((await phone(asking, 'refused', await press(asking))).body).toMatchObject({ phone_code: 'accepted' })
    // Who is known gets in.
    expect((await phone(asking, 'refused', 'e'.repeat(64))).body).toMatchObject({ phone_code: 'rejected' })
  })

  test('a customer whose number WeChat told to nobody is not made somebody else', async () => {
    business.answer = (res, question) =>
      json({ allow: true, ...(question.body.phone_number ? { sub: 'customer-1' } : {}) })(res, question)
    const code = await press(asking)
    await tell(asking, '/faults', { path: PATH, kind: 'cut', times: 1 })
    expect(await phone(asking, 'customer', code)).toMatchObject({ status: 502, body: { code: 'WECHAT_UNAVAILABLE' } })
    expect(await phone(asking, 'customer', code, 1)).toMatchObject({ status: 409 })
    expect(business.questions).toEqual([])
    const { body } = await phone(asking, 'customer', await press(asking))
    expect(claimsOf(body.access_token).sub).toBe('customer-1')
  })

  test('somebody new whom it may know by the number waits for WeChat, and nobody is born meanwhile', async () => {
    const code = await press(asking)
    await tell(asking, '/faults', { path: PATH, kind: 'down' })
    expect(await phone(asking, 'waiting', code)).toMatchObject({
      status: 502,
      body: { code: 'WECHAT_UNAVAILABLE', react: 'retry' },
    })
    expect(business.questions).toEqual([])
    await request(`${asking.simulator?.origin}/simulator/faults`, { method: 'DELETE' })
    expect((await phone(asking, 'waiting', code)).body).toMatchObject({ phone_code: 'accepted' })
    // Who is known gets in.
    await tell(asking, '/faults', { path: PATH, kind: 'down' })
    const known = await phone(asking, 'waiting', await press(asking))
    expect(known).toMatchObject({ status: 200, body: { phone_code: 'unavailable' } })
  })

  test('it is told the number again when a request is repeated, on any node, and nobody else gets it', async () => {
    const code = await press(asking)
    const before = await callsOf(asking)
    business.answer = json({}, 503)
    expect(await phone(asking, 'repeated', code)).toMatchObject({ status: 502, body: { code: 'BACKEND_UNAVAILABLE' } })
    business.answer = json({ allow: true })
    expect((await phone(asking, 'thief', code, 1)).body).toMatchObject({ code: 'PHONE_CODE_REJECTED' })
    expect(business.questions).toHaveLength(1)
    expect((await phone(asking, 'repeated', code, 1)).body).toMatchObject({ phone_code: 'accepted' })
    expect(business.questions.at(-1)?.body).toMatchObject({ action: 'birth', phone_number: NUMBER })
    // The thief's try, and the first one.
    expect((await callsOf(asking)) - before).toBe(2)
  })

  test('a code that is sent by ten requests at once is exchanged, and makes one account', async () => {
    const code = await press(always)
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => phone(always, 'racing', code, i % 2)))
    // Who is still new, and whose code WeChat has just taken, may be told to press again.
    for (const { status } of answers) expect([200, 409]).toContain(status)
    const admitted = answers.filter(({ status }) => status === 200)
    expect(new Set(admitted.map(({ body }) => claimsOf(body.access_token).sub)).size).toBe(1)
    expect(admitted.map(({ body }) => body.phone_code)).toContain('accepted')
    const told = { phone_number: NUMBER, phone_number_verified: true }
    expect(claimsOf((await logIn(always, 'racing')).id_token)).toMatchObject(told)
  })
})

describe('[F6] before redemption', () => {
  test.each(loginDoors)(
    'neither the watching browser %s nor a stranger with the code gets a claim',
    async (_, query) => {
      business.answer = json({ allow: true, claims: { name: NAME, picture: 'https://a.example/private.png' } })
      const { ticket, device_code: own, user_code, ...asked } = await createTicket(always.origin)
      const { access_token: token } = (await phone(always, 'f6', await press(always))).body
      const heard: unknown[] = [asked]
      const browser = connectLogin(always.origin, { query })
      browser.socket.onAny((...args: unknown[]) => heard.push(args))
      heard.push(await browser.watch(own))
      const stream = await openEvents(`${always.origin}/v1/tickets/${ticket}`, { bearer: own })
      heard.push((await stream.next('ticket')).data)

      /** Everything that whoever sees the code on the screen can ask, and the browser itself. */
      const ask = async () => {
        const stranger = connectLogin(always.origin, { query })
        const forged = ticket + 'A'.repeat(own.length - ticket.length)
        heard.push(await stranger.watch(forged))
        stranger.close()
        const paths = [
          ...[`/v1/tickets/${ticket}?wait=0`, `/v1/tickets/${ticket}/qr`, `/oidc/me`, `/v1/user-codes/${user_code}`],
          ...[`/cgi-bin/mmwebwx-bin/login?uuid=${ticket}&tip=1`, `/connect/l/qrconnect?uuid=${ticket}`],
        ]
        for (const bearer of [undefined, ticket, forged, own])
          for (const path of paths) {
            const answer = await fetch(`${always.origin}${path}`, {
              headers: { accept: 'application/json', ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) },
            })
            heard.push(JSON.stringify([...answer.headers]), await answer.text())
          }
        heard.push((await poll(always.origin, own, { wait: 0 })).body, (await redeem(always.origin, forged)).body)
      }
      await ask()
      await scan(always.origin, ticket, token)
      expect(await browser.next('ticket')).toMatchObject({ status: 'scanned' })
      heard.push((await stream.next('ticket')).data)
      await ask()
      await confirm(always.origin, ticket, token)
      expect(await browser.next('ticket')).toMatchObject({ status: 'confirmed' })
      heard.push((await stream.next('ticket')).data)
      await ask()
      expect(heard.length).toBeGreaterThan(150)
      const { sub } = claimsOf(token)
      expect(JSON.stringify(heard)).not.toMatch(new RegExp(`Private|private.png|${BARE}|${sub}`))

      // The one who redeems it gets them.
      const { body } = await redeem(always.origin, own)
      expect(claimsOf(body.id_token)).toMatchObject({ sub, name: NAME })
      browser.close()
    },
  )
})
