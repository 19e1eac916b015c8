import { type Cluster, phoneToken, startCluster, until } from '@saoma/testing'
import * as client from 'openid-client'
import { createBrowser, discover, logIn, loginClientAt, REDIRECT, scanned, testClients } from './relying-party.ts'

let cluster: Cluster
let wiki: client.Configuration

beforeEach(async () => {
  cluster = await startCluster({ nodes: 2, appendonly: true, env: { SAOMA_CLIENTS: testClients } })
  wiki = await discover(cluster.origin, 'wiki')
})
afterEach(() => cluster.stop())

const pkceCodeVerifier = 'v'.repeat(43)
const address = async () =>
  client.buildAuthorizationUrl(wiki, {
    redirect_uri: REDIRECT,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }).href

/** Repeats a step that found no node, like the page and every client that people run. */
const patient = async <T>(step: () => Promise<T>, isDone: (answer: T) => boolean = () => true): Promise<T> => {
  const answer = await until(
    () =>
      step().then(
        (value) => ({ value }),
        () => undefined,
      ),
    (got) => got !== undefined && isDone(got.value),
  )
  if (!answer) throw new Error('no answer')
  return answer.value
}

test('whichever node dies between two steps, the person gets in', async () => {
  const [first, second] = cluster.nodes
  if (!first || !second) throw new Error('there are two nodes')
  const phone = await phoneToken(cluster.origin, 'alice')
  const browser = createBrowser(cluster.origin)
  const page = (await browser.go(await address())).location
  await first.kill()
  const token = await patient(() => scanned(cluster.origin, loginClientAt(page), phone))
  await first.restart()
  await second.kill()
  const done = await patient(
    () => browser.post(`${page}/login`, { bearer: token }),
    ({ status }) => status === 200,
  )
  await second.restart()
  await first.kill()
  const { location } = await patient(
    () => browser.go(String(done.body.location)),
    ({ status }) => status < 500,
  )
  await first.restart()
  await second.kill()
  const tokens = await patient(() => client.authorizationCodeGrant(wiki, new URL(location), { pkceCodeVerifier }))
  expect(tokens.claims()?.name).toBe('alice')
})

test('without Redis there is a page that tries again by itself', async () => {
  const phone = await phoneToken(cluster.origin, 'alice')
  const browser = createBrowser(cluster.origin)
  const { location } = await browser.go(await address())
  await logIn(browser, cluster.origin, location, phone)
  await cluster.redis.kill()
  for (const visitor of [browser, createBrowser(cluster.origin)]) {
    const { status, headers, text } = await visitor.go(await address())
    expect([status, headers.get('refresh')]).toEqual([503, '3'])
    expect(text).toContain('This page tries again by itself.')
    expect(text).not.toMatch(/ at |Error:/)
  }
  await cluster.redis.restart()
  const back = await until(
    async () => browser.go(await address()),
    ({ status }) => status !== 503,
  )
  expect(back.location).toContain('code=')
})
