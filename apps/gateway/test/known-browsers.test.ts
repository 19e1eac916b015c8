import { generateKeyPairSync, randomUUID } from 'node:crypto'
import {
  DEVICE_CODE_GRANT,
  type DeviceAuthorization,
  type KnownBrowsers,
  type ScanAnswer,
  type TokenSet,
  type WaitingRequests,
} from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  createTicket,
  phoneToken,
  poll,
  redeem,
  reject,
  request,
  scan,
  startCluster,
} from '@saoma/testing'
import { decodeJwt, exportJWK, SignJWT } from 'jose'

/*
 * A browser where somebody has logged in before asks that person's phone. Nobody else's browser can. Each
 * request goes to the other node than the one before.
 */

let cluster: Cluster
let turn = 0
const node = () => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? ''

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
})
afterAll(() => cluster.stop())

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

let people = 0
const somebody = async () => {
  const phone = await phoneToken(cluster.origin, `reader ${people++}`)
  return { phone, sub: String(decodeJwt(phone).sub) }
}

const CODE = '/oidc/device/auth'
const web = { client_id: 'web', scope: 'openid profile offline_access', verification: 'number' }
/** A page asks for a code, and for the phone of a person. */
const ask = async (browser: Browser, sub: string, proof?: string): Promise<DeviceAuthorization> =>
  createTicket(node(), { form: { ...web, browser_of: sub, browser_proof: proof ?? (await browser.prove(CODE)) } })

const finish = async (browser: Browser, device_code: string) =>
  (
    await request<TokenSet>(`${node()}/oidc/token`, {
      form: {
        ...{ grant_type: DEVICE_CODE_GRANT, client_id: 'web', device_code },
        browser_proof: await browser.prove('/oidc/token'),
      },
    })
  ).body
/** Somebody scans in front of a browser, which is remembered. */
const logIn = async (browser: Browser, phone: string): Promise<TokenSet> => {
  const { ticket, device_code } = await createTicket(node(), { form: web })
  await scan(node(), ticket, phone)
  await confirm(node(), ticket, phone)
  return finish(browser, device_code)
}
const inboxOf = async (phone: string) =>
  (await request<WaitingRequests>(`${node()}/v1/me/requests`, { bearer: phone })).body.requests
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
