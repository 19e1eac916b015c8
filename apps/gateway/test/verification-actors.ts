import { DEVICE_CODE_GRANT, type TicketState } from '@saoma/protocol'
import { type Answer, type Cluster, confirm, createTicket, poll, request, scan } from '@saoma/testing'
import * as client from 'openid-client'
import { begin, createBrowser, discover, loginClientAt } from './relying-party.ts'

/*
 * People and attackers of the tests about verification: a browser that wants to log in to an application, and
 * a phone that confirms, each in a network.
 */

/** Of the person. The second one is another device in the same IPv6 network. */
export const HOME = '203.0.113.7'
export const HOME_V6 = ['2001:db8:1:2::a', '2001:db8:1:2:ffff::b'] as const
/** Of the attacker. */
export const AWAY = '198.51.100.9'

/** An application for each demand: its id is the demand. `unsaid` leaves it to the cluster. */
export const modeClients = JSON.stringify(
  ['tap', 'number', 'network', 'network-or-number', 'unsaid'].map((id) => ({
    client_id: id,
    client_name: id,
    type: 'public',
    party: 'first',
    redirect_uris: [`https://${id}.example.com/`],
    grant_types: ['authorization_code', 'refresh_token'],
    scope: 'openid profile offline_access',
    ...(id === 'unsaid' ? {} : { verify: id }),
  })),
)

/** The same for devices of somebody else, without a browser: `tv-number` and so on. */
export const modeDevices = JSON.stringify(
  ['number', 'network', 'network-or-number'].map((demand) => ({
    client_id: `tv-${demand}`,
    client_name: `TV ${demand}`,
    type: 'public',
    grant_types: [DEVICE_CODE_GRANT, 'refresh_token'],
    scope: 'openid profile offline_access',
    verify: demand,
  })),
)

/** Sends a request as from an address: the nodes believe a proxy on this machine. */
export const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

/** Two digits that are not these, different for each turn. */
export const otherThan = (number: string, turn = 1): string => String(((Number(number) - 10 + turn) % 90) + 10)

/** A phone with a token, in a network. Each step goes to another node. */
export const phoneAt = (cluster: Cluster, token: string, address: string) => {
  const [a, b] = cluster.nodes.map(({ origin }) => origin)
  const headers = from(address).headers
  return {
    scan: (ticket: string) => scan(a ?? '', ticket, token, { headers }),
    /** @param scopes  those that the phone has shown */
    confirm: (ticket: string, number?: string, scopes?: readonly string[]) => {
      const json = { ...(number === undefined ? {} : { number }), ...(scopes === undefined ? {} : { scopes }) }
      return confirm(b ?? '', ticket, token, { headers, ...(Object.keys(json).length > 0 ? { json } : {}) })
    },
  }
}
export type TestPhone = ReturnType<typeof phoneAt>

/** What a browser got of its login. */
export interface Outcome {
  /** The address to which it was sent. */
  location: string
  /** What the application then knows; undefined if it was told no. */
  tokens?: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers
}

/** A browser that begins to log in to an application, and the code that its page displays. */
export const beginLogin = async (
  cluster: Cluster,
  id: string,
  address: string,
  {
    browser = createBrowser(
      cluster.origin,
      cluster.nodes.map(({ origin }) => origin),
    ),
    more = {},
    shows = 'number',
  }: { browser?: ReturnType<typeof createBrowser>; more?: Record<string, string>; shows?: string } = {},
) => {
  const [a = '', b = ''] = cluster.nodes.map(({ origin }) => origin)
  const config = await discover(cluster.origin, id, {}, true)
  const { url, checks } = await begin(config, { redirect_uri: `https://${id}.example.com/`, ...more })
  const page = await browser.go(url)
  const isAsked = page.location.includes('/oidc/interaction/')

  const outcomeAt = async (location: string): Promise<Outcome> =>
    location.includes('code=')
      ? { location, tokens: await client.authorizationCodeGrant(config, new URL(location), checks) }
      : { location }

  const clientId = isAsked ? loginClientAt(page.location) : ''
  const form = { client_id: clientId, scope: 'openid', verification: shows }
  const code = isAsked ? await createTicket(a, { form, ...from(address) }) : undefined
  const { ticket = '', device_code = '' } = code ?? {}

  return {
    browser,
    /** Whether somebody has to scan. */
    isAsked,
    ticket,
    state: (): Promise<Answer<TicketState>> => poll(b, device_code, { wait: 0 }),
    /** What the page displays. */
    number: async (): Promise<string> => (await poll(b, device_code, { wait: 0 })).body.number ?? 'none',
    /** What becomes of the login when the page goes on. */
    finish: async (): Promise<Outcome> => {
      if (!isAsked) return outcomeAt(page.location)
      const grant = { grant_type: DEVICE_CODE_GRANT, device_code, client_id: clientId }
      const redeemed = await request<{ access_token?: string; error?: string }>(`${a}/oidc/token`, { form: grant })
      const { access_token: bearer } = redeemed.body
      if (bearer === undefined) return { location: String(redeemed.body.error) }
      const done = await browser.post(`${page.location}/login`, { bearer })
      if (done.status !== 200) return { location: `${done.status} ${done.text}` }
      return outcomeAt((await browser.go(String(done.body.location))).location)
    },
  }
}

/** A person who logs in in the way that is demanded, in front of the browser. */
export const logInAt = async (
  cluster: Cluster,
  id: string,
  phone: TestPhone,
  more: Parameters<typeof beginLogin>[3] = {},
): Promise<Outcome & { browser: ReturnType<typeof createBrowser>; isAsked: boolean }> => {
  const login = await beginLogin(cluster, id, HOME, more)
  if (login.isAsked) {
    const scanned = await phone.scan(login.ticket)
    const isNumber = scanned.body.verification === 'number'
    await phone.confirm(login.ticket, isNumber ? await login.number() : undefined)
  }
  return { ...(await login.finish()), browser: login.browser, isAsked: login.isAsked }
}
