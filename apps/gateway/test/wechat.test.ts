import {
  attemptPhoneToken,
  type Cluster,
  confirm,
  createTicket,
  redeem,
  request,
  scan,
  startCluster,
} from '@saoma/testing'

let cluster: Cluster
const simulator = <T = unknown>(path: string, body?: object) =>
  fetch(`${cluster.simulator?.origin}/simulator${path}`, {
    method: body ? 'POST' : 'GET',
    ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
  }).then(async (answer) => (await answer.json()) as T)
const clearFaults = () => fetch(`${cluster.simulator?.origin}/simulator/faults`, { method: 'DELETE' })
const counters = () => simulator<{ calls: Record<string, number>; tokens: Record<string, number> }>('/counters')
const jsCode = async (person: string) => (await simulator<{ js_code: string }>('/login', { person })).js_code

const picture = (node: number, ticket: string) =>
  fetch(`${cluster.nodes[node]?.origin}/v1/tickets/${ticket}/qr`, { signal: AbortSignal.timeout(12_000) })

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, simulator: true, env: { SAOMA_DEMO: 'false' } })
})
afterEach(clearFaults)

test('two cold nodes fetch one access token for 40 pictures, and draw each ticket once', async () => {
  const tickets = await Promise.all(Array.from({ length: 40 }, () => createTicket(cluster.origin)))
  const answers = await Promise.all(tickets.map(({ ticket }, i) => picture(i % 2, ticket)))
  expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200))
  for (const { headers } of answers) {
    expect(headers.get('content-type')).toBe('image/jpeg')
    expect(headers.get('x-saoma-code')).toBe('mini-program')
    expect(headers.get('cache-control')).toBe('no-store')
  }
  const { codes } = await simulator<{ codes: { scene: string; page: string }[] }>('/codes')
  expect(codes.map(({ scene }) => scene).sort()).toEqual(tickets.map(({ ticket }) => ticket).sort())
  expect(new Set(codes.map(({ page }) => page))).toEqual(new Set(['pages/login/index']))
  expect((await counters()).calls['/cgi-bin/stable_token']).toBe(1)
})

test('a person of WeChat gets the same account every time, and the openid stays inside', async () => {
  const login = async (person: string) => {
    const { ticket, device_code } = await createTicket(cluster.origin)
    const token = await attemptPhoneToken(cluster.origin, await jsCode(person))
    expect(token.status).toBe(200)
    await scan(cluster.origin, ticket, token.body.access_token)
    await confirm(cluster.origin, ticket, token.body.access_token)
    const { body } = await redeem(cluster.origin, device_code)
    const claims = JSON.parse(Buffer.from(body.id_token?.split('.')[1] ?? '', 'base64url').toString())
    return { sub: claims.sub as string, seen: JSON.stringify([token.body, body, claims]) }
  }
  const [first, again, other] = [await login('li'), await login('li'), await login('wang')]
  expect(again.sub).toBe(first.sub)
  expect(other.sub).not.toBe(first.sub)
  expect(first.seen).not.toMatch(/openid":"|session_key|unionid/)
})

test('a wx.login code works once, a made-up one never, and a demo name only in a demo', async () => {
  const code = await jsCode('li')
  const tries = await Promise.all(Array.from({ length: 5 }, () => attemptPhoneToken(cluster.origin, code)))
  expect(tries.filter(({ status }) => status === 200)).toHaveLength(1)
  for (const wrong of [code, 'made-up', 'demo:alice']) {
    expect(await attemptPhoneToken(cluster.origin, wrong)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
  }
})

test('an access token that died at WeChat is refreshed once, and the person sees nothing', async () => {
  expect((await picture(0, (await createTicket(cluster.origin)).ticket)).status).toBe(200)
  await simulator('/tokens/refuse', {})
  const before = (await counters()).tokens.forced ?? 0
  const tickets = await Promise.all(Array.from({ length: 10 }, () => createTicket(cluster.origin)))
  const answers = await Promise.all(tickets.map(({ ticket }, i) => picture(i % 2, ticket)))
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200))
  expect((await counters()).tokens.forced).toBe(before + 1)
})

test.each([
  ['slow', { kind: 'slow', ms: 60_000 }],
  ['down', { kind: 'down' }],
  ['out of quota', { kind: 'errcode', errcode: 45009 }],
  ['busy', { kind: 'errcode', errcode: -1 }],
  ['talking nonsense', { kind: 'garbage' }],
])(
  'calls fail soon with WECHAT_UNAVAILABLE while WeChat is %s, and recover by themselves',
  async (_, fault) => {
    await simulator('/faults', { path: '/wxa/getwxacodeunlimit', ...fault })
    await simulator('/faults', { path: '/sns/jscode2session', ...fault })
    const { ticket, device_code } = await createTicket(cluster.origin)
    const [image, phone] = await Promise.all([
      picture(0, ticket),
      attemptPhoneToken(cluster.origin, await jsCode('li')),
    ])
    expect(image.status).toBe(502)
    expect(image.headers.get('retry-after')).toBe('2')
    expect(await image.json()).toMatchObject({ code: 'WECHAT_UNAVAILABLE', react: 'retry' })
    expect(phone).toMatchObject({ status: 502, body: { error: 'temporarily_unavailable' } })
    // What needs no WeChat goes on: the browser can still follow its ticket.
    expect((await request(`${cluster.origin}/v1/tickets/${ticket}?wait=0`, { bearer: device_code })).status).toBe(200)

    await clearFaults()
    expect((await picture(0, ticket)).status).toBe(200)
    expect((await attemptPhoneToken(cluster.origin, await jsCode('li'))).status).toBe(200)
  },
  40_000,
)
