import { createHash } from 'node:crypto'
import { createRedis } from '@saoma/redis'
import { type Line, onCleanup, phoneToken, request, startCluster, testAdminKey, until } from '@saoma/testing'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { type LogoutReceiver, startLogoutReceiver } from './logout-receiver.ts'
import { type Browser, begin, createBrowser, discover, logIn, SECRET } from './relying-party.ts'

/* Two nodes, and applications that are told of logouts. The applications are servers. */

export const NODE_SECRET = 'a secret of tests, which nobody keeps'
export const BYE = 'https://wiki.example.com/bye'
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Registered applications: the business's, and one of somebody else. */
const clientsOf = (wiki: string, board: string, guest: string) => {
  const application = (id: string, backchannel: string, more: object = {}) => ({
    client_id: id,
    client_name: id,
    type: 'confidential',
    party: 'first',
    redirect_uris: [`https://${id}.example.com/callback`],
    post_logout_redirect_uris: [`https://${id}.example.com/bye`],
    backchannel_logout_uri: backchannel,
    grant_types: ['authorization_code', 'refresh_token'],
    secret_sha256: sha256(SECRET),
    ...more,
  })
  return JSON.stringify([
    application('wiki', wiki),
    application('board', board, { id_token_signed_response_alg: 'ES256' }),
    application('guest', guest, { party: 'third' }),
    application('tv', board, {
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: [],
      post_logout_redirect_uris: [],
    }),
    // An address of this machine that nobody has named.
    application('vault', 'http://[::1]:9/logout'),
    {
      client_id: 'tool',
      client_name: 'Tool',
      type: 'public',
      redirect_uris: ['https://tool.example.com/'],
      party: 'first',
    },
  ])
}

/** All of it ends with the test file. */
export const startLogoutStage = async () => {
  const [wikiServer, boardServer, guestServer] = await Promise.all([
    startLogoutReceiver(),
    startLogoutReceiver(),
    startLogoutReceiver(),
  ])
  const lines: Line[] = []
  const cluster = await startCluster({
    nodes: 2,
    env: {
      SAOMA_SECRET: NODE_SECRET,
      SAOMA_CLIENTS: clientsOf(wikiServer.url, boardServer.url, guestServer.url),
      SAOMA_APPLICATION_NETWORKS: '127.0.0.1',
      SAOMA_SESSIONS_PER_PERSON: '3',
    },
    onLine: (_, line) => lines.push(line),
  })
  const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(() => redis.close())
  const wiki = await discover(cluster.origin, 'wiki')
  const board = await discover(cluster.origin, 'board')
  const nodes = () => cluster.nodes.map(({ origin }) => origin)

  /** Goes to an application with a browser that is logged in. */
  const visit = async (browser: Browser, config: client.Configuration, more: Record<string, string> = {}) => {
    const { url, checks } = await begin(config, more)
    return client.authorizationCodeGrant(config, new URL((await browser.go(url)).location), checks)
  }

  let people = 0
  /** The name of somebody new. */
  const newName = () => `person-${people++}`
  /** A new person who has entered the wiki. */
  const enter = async (config = wiki) => {
    const name = newName()
    const phone = await phoneToken(cluster.origin, name)
    const browser = createBrowser(cluster.origin, nodes())
    const { url, checks } = await begin(config)
    const answer = await logIn(browser, cluster.origin, (await browser.go(url)).location, phone)
    const tokens = await client.authorizationCodeGrant(config, new URL(answer), checks)
    const { sid, sub } = tokens.claims() as unknown as { sid: string; sub: string }
    return { name, phone, browser, tokens, sid, sub, hint: tokens.id_token ?? '' }
  }

  const sessionsOf = async (phone: string) =>
    (await request<{ sessions: { sid: string }[] }>(`${cluster.origin}/v1/sessions`, { bearer: phone })).body.sessions
  const userinfo = async (token: string) => (await request(`${cluster.origin}/oidc/me`, { bearer: token })).status
  const form = (token: string, id = 'wiki', more: Record<string, string> = {}) => ({
    form: { token, client_id: id, client_secret: SECRET, ...more },
  })
  const admin = <T>(method: string, path: string) =>
    request<T>(`${cluster.nodes[0]?.internalOrigin}/v1/admin${path}`, { method, bearer: testAdminKey })
  /** The entries of the audit about a person, once there are some. */
  const noted = async (query: string) => {
    const { body } = await until(
      () => admin<{ entries: Record<string, unknown>[] }>('GET', `/audit?${query}`),
      ({ body: { entries } }) => entries.length > 0,
    )
    return body.entries
  }

  /** The next logout token of an application, verified. */
  const tokenAt = async (receiver: LogoutReceiver, audience: string, alg = 'RS256') => {
    const keys = createRemoteJWKSet(new URL(`${cluster.origin}/oidc/jwks`))
    const { payload, protectedHeader } = await jwtVerify(await receiver.next(), keys, {
      issuer: `${cluster.origin}/oidc`,
      audience,
      typ: 'logout+jwt',
      algorithms: [alg],
    })
    expect(protectedHeader.alg).toBe(alg)
    expect(payload).toEqual({
      ...{ iss: `${cluster.origin}/oidc`, aud: audience, sub: expect.any(String), sid: expect.any(String) },
      ...{ iat: expect.any(Number), exp: expect.any(Number), jti: expect.stringMatching(/^.{16,}$/) },
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    })
    return payload
  }

  /** Asks to log out. Resolves with what the page has to send. */
  const askToLogOut = async ({ browser }: { browser: Browser }, parameters: Record<string, string>) => {
    const page = await browser.go(client.buildEndSessionUrl(wiki, parameters).href)
    expect([page.status, page.location]).toEqual([404, `${cluster.origin}/oidc/logout`])
    const { text } = await browser.go('/oidc/logout/details')
    return JSON.parse(text) as { xsrf: string; application?: object }
  }
  const decide = ({ browser }: { browser: Browser }, fields: Record<string, string>) =>
    browser.post('/oidc/session/end/confirm', { form: fields })

  return {
    ...{ cluster, nodes, redis, lines, wikiServer, boardServer, guestServer, wiki, board },
    ...{ visit, newName, enter, sessionsOf, userinfo, form, admin, noted, tokenAt, askToLogOut, decide },
  }
}
export type LogoutStage = Awaited<ReturnType<typeof startLogoutStage>>
export type Member = Awaited<ReturnType<LogoutStage['enter']>>
