import { generateKeyPairSync, randomUUID } from 'node:crypto'
import {
  DEVICE_CODE_GRANT,
  type DeviceAuthorization,
  type KnownBrowsers,
  type ScanAnswer,
  type TokenSet,
} from '@saoma/protocol'
import {
  confirm,
  createTicket,
  poll,
  redeem,
  reject,
  request,
  scan,
  startCluster,
  testAdminKey,
  until,
} from '@saoma/testing'
import { decodeJwt, exportJWK, SignJWT } from 'jose'
import { createPeople } from './pushed-stage.ts'
import { testClients } from './relying-party.ts'

/*
 * A browser where somebody has logged in before asks that person's phone. Nobody else's browser can. Each
 * request goes to the other node than the one before.
 */

const cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: testClients } })
const { node, somebody, inboxOf } = createPeople(cluster, 'reader')

/** A browser with a key of its own. */
const newBrowser = async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = await exportJWK(publicKey)
  const prove = (path: string, change: object = {}) =>
    new SignJWT({
      jti: randomUUID(),
      htm: 'POST',
      htu: `${cluster.origin}${path}`,
      iat: Math.floor(Date.now() / 1_000),
      ...change,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .sign(privateKey)
  return { prove }
}
type Browser = Awaited<ReturnType<typeof newBrowser>>

const CODE = '/oidc/device/auth'
const web = { client_id: 'web', scope: 'openid profile offline_access', verification: 'number' }
/** A page asks for a code, and for the phone of a person. */
const ask = async (
  browser: Browser,
  sub: string,
  proof?: string,
  client: Record<string, string> = web,
): Promise<DeviceAuthorization> =>
  createTicket(node(), { form: { ...client, browser_of: sub, browser_proof: proof ?? (await browser.prove(CODE)) } })

const finish = async (browser: Browser, device_code: string, more: Record<string, string> = {}) =>
  (
    await request<TokenSet>(`${node()}/oidc/token`, {
      form: {
        ...{ grant_type: DEVICE_CODE_GRANT, client_id: 'web', device_code, ...more },
        browser_proof: more.browser_proof ?? (await browser.prove('/oidc/token')),
      },
    })
  ).body
/** Somebody scans in front of a browser, which is remembered. */
const logIn = async (browser: Browser, phone: string, more?: Record<string, string>): Promise<TokenSet> => {
  const { ticket, device_code } = await createTicket(node(), { form: web })
  await scan(node(), ticket, phone)
  await confirm(node(), ticket, phone)
  return finish(browser, device_code, more)
}
/** The phone opens a request of its list. */
const open = (ticket: string, bearer: string) =>
  request<ScanAnswer>(`${node()}/v1/tickets/${ticket}/scan?listed=1`, { method: 'POST', bearer })
const browsersOf = async (bearer: string) =>
  (await request<KnownBrowsers>(`${node()}/v1/me/browsers`, { bearer })).body.browsers

test('a browser in which somebody has logged in asks the phone, which gives the number of the page', async () => {
  const { phone, sub } = await somebody()
  const browser = await newBrowser()
  expect(await logIn(browser, phone)).toMatchObject({ browser_remembered: true })
  const asked = await ask(browser, sub)
  expect(asked).toMatchObject({ pushed: true, user_code: expect.stringMatching(/^.{4}-.{4}$/) })
  expect(await inboxOf(phone)).toMatchObject([{ ticket: asked.ticket, client: 'web' }])
  expect((await open(asked.ticket, phone)).body).toMatchObject({ verification: 'number' })
  const { number } = (await poll(node(), asked.device_code, { wait: 0 })).body
  expect(await confirm(node(), asked.ticket, phone, { json: { number } })).toMatchObject({ status: 200 })
  expect(decodeJwt((await finish(browser, asked.device_code)).access_token)).toMatchObject({
    sub,
    acr: 'urn:saoma:acr:number',
  })
  expect(await inboxOf(phone)).toEqual([])
})

test('strangers reach no phone: without a key, with another one, or with a proof that was seen', async () => {
  const { phone, sub } = await somebody()
  const [browser, stranger] = [await newBrowser(), await newBrowser()]
  await logIn(browser, phone)
  const used = await browser.prove(CODE)
  await ask(browser, sub, used)
  const [{ ticket } = { ticket: '' }] = await inboxOf(phone)
  await scan(node(), ticket, phone)
  await reject(node(), ticket, phone)
  const other = await somebody()
  const tries: [string, Promise<DeviceAuthorization>][] = [
    ['a key that nobody knows', ask(stranger, sub)],
    ['no proof', createTicket(node(), { form: { ...web, browser_of: sub } })],
    ['a proof that was used', ask(browser, sub, used)],
    ['a proof for another request', browser.prove('/oidc/token').then((proof) => ask(browser, sub, proof))],
    ['a proof for another site', ask(browser, sub, await browser.prove(CODE, { htu: `https://evil.example${CODE}` }))],
    ['a proof of another method', ask(browser, sub, await browser.prove(CODE, { htm: 'GET' }))],
    [
      'the client of an application',
      ask(browser, sub, await browser.prove(CODE), { client_id: 'kiosk', scope: 'openid' }),
    ],
    ['an old proof', browser.prove(CODE, { iat: 1 }).then((proof) => ask(browser, sub, proof))],
    ['garbage', ask(browser, sub, 'x.y.z')],
    ['the key of somebody else', ask(browser, other.sub)],
    ['nobody', ask(browser, 'nobody')],
  ]
  for (const [what, answer] of tries) expect([what, (await answer).pushed]).toEqual([what, undefined])
  expect(await inboxOf(phone)).toEqual([])
  expect(await inboxOf(other.phone)).toEqual([])
})

test('without an answer three times there is a code as always', async () => {
  const { phone, sub } = await somebody()
  const browser = await newBrowser()
  await logIn(browser, phone)
  for (const _ of [1, 2, 3]) expect((await ask(browser, sub)).pushed).toBe(true)
  const { pushed, ticket, device_code } = await ask(browser, sub)
  expect(pushed).toBeUndefined()
  expect(await inboxOf(phone)).toHaveLength(3)
  await scan(node(), ticket, phone)
  await confirm(node(), ticket, phone)
  expect((await redeem(node(), device_code)).status).toBe(200)
})

test('somebody else scans the code of a known browser, and the person’s phone drops it', async () => {
  const { phone, sub } = await somebody()
  const other = await somebody()
  const browser = await newBrowser()
  await logIn(browser, phone)
  const asked = await ask(browser, sub)
  expect((await scan(node(), asked.ticket, other.phone)).body).toMatchObject({ verification: 'tap' })
  expect(await inboxOf(phone)).toEqual([])
  await confirm(node(), asked.ticket, other.phone)
  expect(decodeJwt((await finish(browser, asked.device_code)).access_token).sub).toBe(other.sub)
})

test('the person sees the browsers, and forgets one', async () => {
  const { phone, sub } = await somebody()
  const [one, two] = [await newBrowser(), await newBrowser()]
  const { access_token } = await logIn(one, phone)
  await logIn(two, phone)
  const [last, first] = await browsersOf(access_token)
  expect(first).toMatchObject({ id: expect.any(String), since: expect.any(String), ip: expect.any(String) })
  const forget = () => request(`${node()}/v1/me/browsers/${last?.id}`, { method: 'DELETE', bearer: phone })
  expect(await forget()).toMatchObject({ status: 200 })
  expect(await forget()).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  expect((await ask(two, sub)).pushed).toBeUndefined()
  expect((await ask(one, sub)).pushed).toBe(true)
})

test('"this was not me" forgets the browser that asked', async () => {
  const { phone, sub } = await somebody()
  const browser = await newBrowser()
  await logIn(browser, phone)
  const { ticket } = await ask(browser, sub)
  const reported = await request(`${node()}/v1/me/requests/${ticket}/report`, { method: 'POST', bearer: phone })
  expect(reported).toMatchObject({ status: 200, body: { state: { status: 'rejected' } } })
  expect(await browsersOf(phone)).toEqual([])
  expect((await ask(browser, sub)).pushed).toBeUndefined()
})

test('what a forgotten browser has asked is not listed any more, and its code is one as always', async () => {
  const { phone, sub } = await somebody()
  const [one, two] = [await newBrowser(), await newBrowser()]
  await logIn(one, phone)
  await logIn(two, phone)
  const [first, second] = [await ask(one, sub), await ask(two, sub)]
  expect((await inboxOf(phone)).map(({ ticket }) => ticket)).toEqual([second.ticket, first.ticket])
  const [last] = await browsersOf(phone)
  await request(`${node()}/v1/me/browsers/${last?.id}`, { method: 'DELETE', bearer: phone })
  expect((await inboxOf(phone)).map(({ ticket }) => ticket)).toEqual([first.ticket])
  expect((await ask(two, sub)).pushed).toBeUndefined()
  // Whoever sits there may be logged in by a scan.
  const other = await somebody()
  expect((await scan(node(), second.ticket, other.phone)).body).toMatchObject({ verification: 'tap' })
  await confirm(node(), second.ticket, other.phone)
  expect(await finish(two, second.device_code)).toMatchObject({ browser_remembered: true })
  expect(await browsersOf(other.phone)).toHaveLength(1)
  expect(await browsersOf(phone)).toHaveLength(1)
})

test('a proof counts once, also at both nodes at the same time', async () => {
  const { phone, sub } = await somebody()
  const browser = await newBrowser()
  await logIn(browser, phone)
  const proof = await browser.prove(CODE)
  const asked = await Promise.all(Array.from({ length: 6 }, () => ask(browser, sub, proof)))
  expect(asked.filter(({ pushed }) => pushed)).toHaveLength(1)
  expect(await inboxOf(phone)).toHaveLength(1)

  // Whoever has seen a proof is not remembered with it.
  const seen = await browser.prove('/oidc/token')
  const other = await somebody()
  for (const expected of [{ browser_remembered: true }, {}]) {
    const { ticket, device_code } = await createTicket(node(), { form: web })
    await scan(node(), ticket, other.phone)
    await confirm(node(), ticket, other.phone)
    const { browser_remembered } = await finish(browser, device_code, { browser_proof: seen })
    expect({ ...(browser_remembered ? { browser_remembered } : {}) }).toEqual(expected)
  }
})

test('a session that was not me takes its browser along, and nobody disabled is asked', async () => {
  const { phone, sub } = await somebody()
  const [mine, stolen] = [await newBrowser(), await newBrowser()]
  await logIn(mine, phone)
  const { sid } = decodeJwt(String((await logIn(stolen, phone)).access_token))
  await request(`${node()}/v1/sessions/${sid}/report`, { method: 'POST', bearer: phone })
  expect((await ask(stolen, sub)).pushed).toBeUndefined()
  expect((await ask(mine, sub)).pushed).toBe(true)
  const disable = `${cluster.nodes[0]?.internalOrigin}/v1/admin/accounts/${sub}/disable`
  expect((await request(disable, { method: 'POST', bearer: testAdminKey })).status).toBe(200)
  expect((await ask(mine, sub)).pushed).toBeUndefined()
})

test('a session that is over and was not me takes its browser along, too', async () => {
  const { phone, sub } = await somebody()
  const stolen = await newBrowser()
  const { access_token, refresh_token: token = '' } = await logIn(stolen, phone)
  // Whoever has logged in as somebody else logs out, and asks the phone later.
  await request(`${node()}/oidc/token/revocation`, { form: { token, client_id: 'web' } })
  const report = `${node()}/v1/sessions/${decodeJwt(access_token).sid}/report`
  const reported = await until(
    () => request(report, { method: 'POST', bearer: phone }),
    ({ status }) => status !== 404,
  )
  expect(reported).toMatchObject({ status: 200, body: { ended: 0 } })
  expect(await browsersOf(phone)).toEqual([])
  expect((await ask(stolen, sub)).pushed).toBeUndefined()
})

test('a login that nobody wants to be remembered goes on with the list of its person, and makes none', async () => {
  const [ann, bob] = [await somebody(), await somebody()]
  const browser = await newBrowser()
  expect(await logIn(browser, ann.phone)).toMatchObject({ remembered_name: expect.stringMatching(/^reader \d+$/) })
  const [known] = await browsersOf(ann.phone)
  const again = await logIn(browser, ann.phone, { browser_of: ann.sub })
  expect(again).toMatchObject({ browser_remembered: true })
  const [later] = await browsersOf(ann.phone)
  expect([later?.id, later?.since, (later?.last ?? '') > (known?.last ?? '')]).toEqual([known?.id, known?.since, true])
  // Its last session is the one that is reported.
  const { sid } = decodeJwt(again.access_token)
  const other = await logIn(browser, bob.phone, { browser_of: ann.sub })
  expect([other.browser_remembered, other.remembered_name]).toEqual([undefined, undefined])
  expect(await browsersOf(bob.phone)).toEqual([])
  expect(await request(`${node()}/v1/sessions/${sid}/report`, { method: 'POST', bearer: ann.phone })).toMatchObject({
    status: 200,
  })
  expect(await browsersOf(ann.phone)).toEqual([])
  // What is off the list stays off.
  expect((await logIn(browser, ann.phone, { browser_of: ann.sub })).browser_remembered).toBeUndefined()
})
