import { createHash } from 'node:crypto'
import { confirm, createTicket, request, scan } from '@saoma/testing'
import * as client from 'openid-client'

/*
 * A browser without pages, and applications, for tests of the authorization endpoint.
 */

/** Secrets of the confidential clients below. */
export const SECRET = 'a-secret-of-a-test-with-many-characters-0'
export const REDIRECT = 'https://wiki.example.com/callback'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Registered applications: the business's wiki and page, and two of somebody else. */
export const testClients = JSON.stringify(
  [
    {
      client_id: 'wiki',
      client_name: 'Wiki',
      type: 'confidential',
      party: 'first',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      scope: 'openid profile offline_access',
      secret_sha256: sha256(SECRET),
    },
    {
      client_id: 'board',
      client_name: 'Board',
      type: 'public',
      party: 'first',
      redirect_uris: ['https://board.example.com/'],
      id_token_signed_response_alg: 'ES256',
    },
    {
      client_id: 'guest',
      client_name: 'Guest book',
      type: 'confidential',
      redirect_uris: ['https://guest.example.com/callback'],
      scope: 'openid profile phone',
      secret_sha256: sha256(SECRET),
    },
    {
      client_id: 'tool',
      client_name: 'Tool',
      type: 'public',
      party: 'first',
      redirect_uris: ['http://127.0.0.1/callback'],
    },
    {
      client_id: 'kiosk',
      client_name: 'Kiosk',
      type: 'public',
      party: 'first',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      scope: 'openid profile offline_access',
    },
    {
      client_id: 'printer',
      client_name: 'Print shop',
      type: 'confidential',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      scope: 'openid profile phone',
      secret_sha256: sha256(SECRET),
    },
  ],
  undefined,
  1,
)

/** A server that asks for logins on the person's phone. */
export const deskClient = {
  client_id: 'desk',
  client_name: 'Desk',
  type: 'confidential',
  party: 'first',
  grant_types: ['urn:openid:params:grant-type:ciba'],
  secret_sha256: sha256(SECRET),
}

/** What a browser does with addresses and cookies. Each step may go to another node. */
export interface Browser {
  /** By name and path. `line` is the header that set it. */
  readonly cookies: ReadonlyMap<string, { value: string; path: string; line: string }>
  /** Follows redirects as long as they stay with us. Resolves with the last answer and where it leads. */
  go(address: string): Promise<{ status: number; location: string; text: string; headers: Headers }>
  post(
    address: string,
    options?: { bearer?: string; origin?: string | undefined; form?: Record<string, string> },
  ): Promise<{ status: number; body: Record<string, unknown>; text: string; headers: Headers }>
  /** The same browser without what it has stored. */
  forget(): void
}

/**
 * @param origin  of the cluster
 * @param nodes  origins of nodes, which serve by turns. @default the cluster's own
 */
export const createBrowser = (origin: string, nodes: readonly string[] = [origin]): Browser => {
  const cookies = new Map<string, { value: string; path: string; line: string }>()
  let turn = 0

  const send = async (address: string, init: RequestInit & { headers?: Record<string, string> } = {}) => {
    const url = new URL(address, origin)
    const sent = [...cookies].filter(
      ([, { path }]) => url.pathname === path || url.pathname.startsWith(path.replace(/\/?$/, '/')),
    )
    const cookie = sent.map(([name, { value }]) => `${name.split('@')[0]}=${value}`).join('; ')
    const node = nodes[turn++ % nodes.length] ?? origin
    const answer = await fetch(`${node}${url.pathname}${url.search}`, {
      redirect: 'manual',
      ...init,
      headers: { accept: 'text/html', ...(cookie ? { cookie } : {}), ...init.headers },
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      const path = /; path=([^;]+)/i.exec(line)?.[1] ?? '/'
      if (/expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(`${name}@${path}`)
      else cookies.set(`${name}@${path}`, { value, path, line })
    }
    return answer
  }

  return {
    cookies,
    go: async (address) => {
      let at = new URL(address, origin)
      for (let i = 0; i < 10; i++) {
        const answer = await send(at.href)
        const location = answer.headers.get('location')
        const next = location === null ? undefined : new URL(location, origin)
        if (next && next.origin === origin && !next.pathname.startsWith('/oidc/interaction/')) {
          at = next
          continue
        }
        const { status, headers } = answer
        return { status, headers, location: next?.href ?? at.href, text: await answer.text() }
      }
      throw new Error('too many redirects')
    },
    post: async (address, { bearer, form, ...options } = {}) => {
      const from = 'origin' in options ? options.origin : origin
      const answer = await send(address, {
        method: 'POST',
        headers: {
          ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
          ...(from ? { origin: from } : {}),
        },
        ...(form ? { body: new URLSearchParams(form) } : {}),
      })
      const text = await answer.text()
      const isJson = /json/.test(answer.headers.get('content-type') ?? '')
      return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : {} }
    },
    forget: () => cookies.clear(),
  }
}

/** The client of an interaction's page. */
export const loginClientAt = (address: string): string => `login:${new URL(address).pathname.split('/').at(-1)}`

/** The token with which the page of an interaction finishes it, after a person has scanned. */
export const scanned = async (origin: string, clientId: string, phone: string): Promise<string> => {
  const { device_code, ticket } = await createTicket(origin, { form: { client_id: clientId, scope: 'openid' } })
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
  const { status, body } = await request<{ access_token: string }>(`${origin}/oidc/token`, {
    form: { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code, client_id: clientId },
  })
  if (status !== 200) throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`)
  return body.access_token
}

/**
 * Scans on the page of an interaction. Resolves with the address at which the application gets its answer.
 */
export const logIn = async (browser: Browser, origin: string, page: string, phone: string): Promise<string> => {
  const token = await scanned(origin, loginClientAt(page), phone)
  const { status, body } = await browser.post(`${page}/login`, { bearer: token })
  if (status !== 200) throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`)
  return (await browser.go(String(body.location))).location
}

/** An application, by an independent library. */
export const discover = (
  origin: string,
  id: string,
  metadata: Partial<client.ClientMetadata> = {},
  isPublic = false,
): Promise<client.Configuration> => {
  const secret = isPublic ? undefined : (metadata.client_secret ?? SECRET)
  return client.discovery(
    new URL(`${origin}/oidc`),
    id,
    { ...metadata, client_secret: secret } as client.ClientMetadata,
    secret === undefined ? client.None() : client.ClientSecretBasic(secret),
    { execute: [client.allowInsecureRequests] },
  )
}

/** An authorization request of an application, and what it needs to check the answer. */
export const begin = async (config: client.Configuration, more: Record<string, string> = {}) => {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: `https://${config.clientMetadata().client_id}.example.com/callback`,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  })
  return { url: url.href, checks: { pkceCodeVerifier, expectedState, expectedNonce } }
}

/** The error in an address, or why there is none. */
export const errorIn = (location: string): string =>
  new URL(location).searchParams.get('error') ?? `no error in ${location}`

/** Why an independent library was refused. */
export const reasonIn = (error: unknown): string => {
  if (error instanceof client.ResponseBodyError) return error.error
  // What a client is told whose secret is wrong.
  return error instanceof client.WWWAuthenticateChallengeError ? 'invalid_client' : String(error)
}
export const errorOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'granted', reasonIn)
