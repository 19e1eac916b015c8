import { type Cluster, connectLogin, createTicket, loginDoors, phoneToken, request, startCluster } from '@saoma/testing'
import fc from 'fast-check'
import { failuresOf, nodeAt, seed } from './fixtures.ts'
import { REDIRECT, testClients } from './relying-party.ts'

/*
 * Random events, frames and requests; frames of WebSockets are those of waiting-doors.test.ts. A failing run
 * names its seed and path in the report; put them into FUZZ_SEED to see it again.
 */

/** How many runs of a test; `FUZZ_RUNS=2000` is the long form. */
const runs = (some: number): number => Number(process.env.FUZZ_RUNS ?? some)
/** Milliseconds that the long form may take on top. */
const LONGER_MS = runs(0) * 100
let cluster: Cluster
let alice: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: { SAOMA_DRAIN_WINDOW_MS: '0', SAOMA_CLIENTS: testClients } })
  alice = await phoneToken(cluster.origin, 'alice')
})

const anything = fc.anything({ withBigInt: false, withDate: false, withTypedArray: true, maxDepth: 4 })
const json = fc.jsonValue({ maxDepth: 4 })

/** The same process as at the start, and no line of it speaks of a failure. */
const unharmed = async (pid: number): Promise<void> => {
  const node = nodeAt(cluster.nodes, 0)
  expect(node.pid).toBe(pid)
  expect((await request(`${node.internalOrigin}/readyz`)).status).toBe(200)
  expect(failuresOf(node)).toEqual([])
}

test.each(loginDoors)(
  `%s: socket events of any shape are refused or ignored (seed ${seed})`,
  async (_, query) => {
    const pid = nodeAt(cluster.nodes, 0).pid
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(fc.oneof(fc.constant('watch'), fc.string()), fc.array(fc.oneof(json, anything), { maxLength: 3 })),
          { maxLength: 15 },
        ),
        async (events) => {
          const browser = connectLogin(nodeAt(cluster.nodes, 0).origin, { query, reconnection: false })
          await browser.next('connect')
          const answers: unknown[] = []
          for (const [name, args] of events) {
            try {
              browser.socket.emit(name as 'watch', ...(args as [{ deviceCode: string }]), (answer: unknown) =>
                answers.push(answer),
              )
            } catch {
              // The client itself will not send reserved names and values that JSON cannot hold.
            }
          }
          const { device_code } = await createTicket(cluster.origin)
          expect(await browser.watch(device_code)).toMatchObject({ ok: true })
          for (const answer of answers)
            expect(answer).toMatchObject({ ok: false, code: expect.any(String), react: expect.any(String) })
          browser.close()
        },
      ),
      { seed, numRuns: runs(30) },
    )
    await unharmed(pid)
  },
  60_000 + LONGER_MS,
)

test(
  `raw Socket.IO packets of any content end at most their own connection (seed ${seed})`,
  async () => {
    const pid = nodeAt(cluster.nodes, 0).pid
    const packet = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .tuple(
          fc.constantFrom(
            '0',
            '1',
            '2',
            '3',
            '4',
            '40',
            '41',
            '42',
            '43',
            '44',
            '45',
            '46',
            '40/login,',
            '42/login,',
            '451-/login,',
          ),
          fc.oneof(fc.json(), fc.string()),
        )
        .map((parts) => parts.join('')),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(packet, { minLength: 1, maxLength: 10 }), async (packets) => {
        const url = `${nodeAt(cluster.nodes, 0).origin}/socket.io/?EIO=4&transport=polling`
        const opened = await request<string>(url)
        const { sid } = JSON.parse(opened.body.slice(1))
        const answer = await fetch(`${url}&sid=${sid}`, {
          method: 'POST',
          body: packets.join('\x1e'),
          signal: AbortSignal.timeout(5_000),
        })
        expect([200, 400, 413]).toContain(answer.status)
      }),
      { seed, numRuns: runs(120) },
    )
    await unharmed(pid)
  },
  60_000 + LONGER_MS,
)

test(
  `requests of any shape get an answer below 500 (seed ${seed})`,
  async () => {
    const pid = nodeAt(cluster.nodes, 0).pid
    const { ticket, device_code } = await createTicket(cluster.origin)
    const segment = fc.oneof(
      fc.constantFrom(
        'v1',
        'tickets',
        'scan',
        'confirm',
        'reject',
        'qr',
        'resume',
        'user-codes',
        'oidc',
        'token',
        'device',
        'auth',
        'jwks',
        'revocation',
        'cgi-bin',
        'mmwebwx-bin',
        'login',
        'connect',
        'l',
        'qrconnect',
        ticket,
      ),
      fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text.toWellFormed())),
      fc.constantFrom('%', '%ff', '%00', '..', '.', '%2e%2e', '%2f', '*', '{', '%E0%A4%A'),
    )
    // Every real route meets every method; what no route was made for comes from the segments.
    const path = fc.oneof(
      fc.constantFrom(
        '/oidc/device',
        '/oidc/device/auth',
        '/oidc/token',
        '/oidc/token/revocation',
        '/oidc/auth',
        `/oidc/auth/${'x'.repeat(43)}`,
        '/oidc/request',
        '/oidc/me',
        '/oidc/session/end/confirm',
        '/oidc/session/end',
        '/oidc/session/end/success',
        '/oidc/token/introspection',
        '/oidc/logout/details',
        `/oidc/interaction/${'x'.repeat(43)}`,
        `/oidc/interaction/${'x'.repeat(43)}/login`,
        '/oidc/jwks',
        '/oidc/.well-known/openid-configuration',
        '/v1/publish',
        '/v1/sessions',
        '/v1/messages',
        '/v1/codes/x',
        `/v1/tickets/${ticket}`,
        `/v1/tickets/${ticket}/scan`,
        `/v1/tickets/${ticket}/link`,
      ),
      fc.array(segment, { maxLength: 6 }).map((segments) => `/${segments.join('/')}`),
    )
    const pair = fc.tuple(
      fc.constantFrom(
        ...['uuid', 'tip', 'last', 'after', 'wait', 'sid', 'x'],
        ...['client_id', 'redirect_uri', 'response_type', 'prompt', 'max_age', 'claims', 'request_uri', 'scope'],
        ...['id_token_hint', 'post_logout_redirect_uri', 'token'],
      ),
      fc.oneof(fc.constantFrom(ticket, '0', '1', '404', 'wiki', 'code', REDIRECT, 'openid', 'none'), fc.string()),
    )
    const credentials = fc.constantFrom(
      undefined,
      `Bearer ${device_code}`,
      `Bearer ${alice}`,
      'Bearer',
      'Basic eDp5',
      'Bearer \t',
    )
    const form = fc.dictionary(
      fc.constantFrom('grant_type', 'client_id', 'code', 'device_code', 'refresh_token', 'scope', 'token', 'resource'),
      fc.oneof(fc.constantFrom('web', 'phone', 'openid', 'demo:x', device_code), fc.string()),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'),
        path,
        fc.array(pair, { maxLength: 3 }),
        credentials,
        form,
        async (method, at, query, authorization, fields) => {
          const url = `${nodeAt(cluster.nodes, 0).origin}${at}?wait=0&${new URLSearchParams(query)}`
          const answer = await fetch(url, {
            method,
            redirect: 'manual',
            headers: { accept: 'application/json', ...(authorization ? { authorization } : {}) },
            ...(method === 'GET' || method === 'HEAD' ? {} : { body: new URLSearchParams(fields) }),
            // A WeChat poll that happens to be well formed is held for 25 s; that is an answer too.
            signal: AbortSignal.timeout(2_000),
          }).catch((error: Error) => (error.name === 'TimeoutError' ? undefined : Promise.reject(error)))
          if (answer) expect(answer.status).toBeLessThan(500)
        },
      ),
      { seed, numRuns: runs(500) },
    )
    await unharmed(pid)
  },
  120_000 + LONGER_MS,
)
