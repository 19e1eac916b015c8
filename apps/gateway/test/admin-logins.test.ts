import {
  confirm,
  createTicket,
  type Gateway,
  phoneToken,
  redeem,
  reject,
  request,
  scan,
  startGateway,
  startRedis,
  startRedisCluster,
  testAdminKey,
  testApiKey,
  until,
} from '@saoma/testing'
import type { LiveLogin } from '../src/admin/logins.ts'

type Login = LiveLogin & { kind?: string; time?: string; sid?: string; node?: string }
interface Body {
  logins: Login[]
  cursor?: string
  code?: string
  detail?: string
}
const topologies = {
  standalone: async () => (await startRedis()).url,
  cluster: async () => (await startRedisCluster()).url,
}
const AGENT =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'
const headers = { 'user-agent': AGENT }
const subOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub as string

describe.each(Object.keys(topologies) as (keyof typeof topologies)[])('logins for administrators, %s Redis', (kind) => {
  let a: Gateway
  let b: Gateway

  beforeAll(async () => {
    const redisUrl = await topologies[kind]()
    const start = (nodeId: string) => startGateway({ redisUrl, nodeId, origin: 'http://logins.test' })
    ;[a, b] = await Promise.all([start('a'), start('b')])
  })

  const list = (query: string, bearer = testAdminKey, { internalOrigin } = b) =>
    request<Body>(`${internalOrigin}/v1/admin/logins${query}`, { bearer })
  /** Entries are written a moment after what they tell of. */
  const listed = async (query: string, count: number) =>
    (
      await until(
        () => list(query),
        ({ body }) => body.logins?.length >= count,
      )
    ).body
  const ticketsOf = ({ logins }: Body) => logins.map(({ ticket }) => ticket)

  test('a login in progress is seen at each step, and no more when it is over', async () => {
    const { ticket, device_code: deviceCode, user_code: userCode } = await createTicket(a.origin, { headers })
    const live = async () => (await list(`?state=live&ticket=${ticket}`)).body
    const { logins } = await listed(`?state=live&ticket=${ticket}`, 1)
    const where = { ticket, client: 'web', ip: '127.0.0.1', browser: 'Chrome 126', os: 'Windows 10' }
    const told = { ...where, since: expect.stringMatching(/^20.*Z$/), expiresIn: expect.any(Number) }
    expect(logins).toEqual([{ ...told, state: 'pending' }])
    const phone = await phoneToken(b.origin, 'ada')
    const person = subOf(phone)
    await scan(b.origin, ticket, phone)
    const scanned = await list(`?state=live&person=${person}`)
    expect(scanned.body).toEqual({ logins: [{ ...told, state: 'scanned', person }] })
    // Neither of the codes is anywhere.
    const text = JSON.stringify(scanned.body)
    expect([text.includes(deviceCode), text.includes(userCode), text.includes(deviceCode.slice(22))]).toEqual([
      ...[false, false, false],
    ])
    await confirm(a.origin, ticket, phone)
    expect((await live()).logins).toEqual([{ ...told, state: 'confirmed', person }])
    const { body: tokens } = await redeem(a.origin, deviceCode, { headers })
    expect(await live()).toEqual({ logins: [] })

    const { logins: steps } = await listed(`?ticket=${ticket}`, 4)
    expect(steps.map(({ kind: step }) => step).sort()).toEqual([
      ...['login.asked', 'login.confirmed', 'login.redeemed', 'login.scanned'],
    ])
    expect(ticketsOf((await list(`?person=${person}&client=web`)).body)).toEqual([ticket])
    expect((await list(`?person=${person}&client=other`)).body).toEqual({ logins: [] })
    expect(steps.find(({ kind: step }) => step === 'login.redeemed')).toMatchObject({ person, node: 'a', ...where })
    expect(JSON.stringify(steps)).not.toContain(tokens.access_token)
  })

  test('declined logins are not live, and pages hold while logins come and end', async () => {
    const made = []
    for (let i = 0; i < 7; i++) made.push(await createTicket(a.origin, { headers: { ...headers } }))
    await listed('?state=live', 7)
    const found: string[] = []
    let query = '?state=live&limit=2'
    while (query !== '') {
      const { status, body } = await list(query)
      expect([status, body.logins.length <= 2]).toEqual([200, true])
      found.push(...ticketsOf(body))
      await createTicket(a.origin)
      query = body.cursor === undefined ? '' : `?state=live&limit=2&cursor=${body.cursor}`
    }
    for (const { ticket } of made) expect(found.filter((one) => one === ticket)).toEqual([ticket])
    const phone = await phoneToken(a.origin, 'ben')
    const declined = made[0]?.ticket ?? ''
    await scan(a.origin, declined, phone)
    await reject(b.origin, declined, phone)
    expect((await list(`?state=live&ticket=${declined}`)).body).toEqual({ logins: [] })
    expect((await list('?state=live&network=10.0.0.0/8')).body).toEqual({ logins: [] })
    expect((await list('?state=live&network=127.0.0.0/8&limit=500')).body.logins.length).toBeGreaterThan(5)
  })

  test('what is wrong is refused by name, and a key needs the scope', async () => {
    const refusals: [string, string, string][] = [
      ['?state=dead', 'INVALID', 'state is recent or live'],
      ['?state=live&from=2026-01-01T00:00:00Z', 'INVALID', 'there is no parameter from'],
      ['?kind=login', 'INVALID', 'there is no parameter kind'],
      ['?network=home', 'INVALID', 'network is an address or a network such as 203.0.113.0/24'],
      ['?from=yesterday', 'INVALID', 'from is a time such as 2026-11-30T09:00:00Z'],
      // ISO 8601 allows more than Date reads.
      ['?from=2026-11-30T09:00:00%2B09', 'INVALID', 'from is a time such as 2026-11-30T09:00:00Z'],
      ['?to=2026-11-30T09:00:00%2B09', 'INVALID', 'to is a time such as 2026-11-30T09:00:00Z'],
      ['?cursor=x', 'INVALID', 'cursor is that of the page before'],
      ['?state=live&cursor=x', 'INVALID', 'cursor is that of the page before'],
      ['?limit=1e3', 'INVALID', 'limit is a whole number above 0'],
    ]
    for (const [query, code, detail] of refusals) {
      const { body } = await list(query)
      expect([query, body.code, body.detail]).toEqual([query, code, detail])
    }
    for (const query of ['', '?state=live'])
      expect((await list(query, testApiKey)).body).toMatchObject({
        ...{ code: 'SCOPE_MISSING', detail: 'this needs an API key with the scope audit:read' },
      })
    expect((await list('', 'x')).body.code).toBe('UNAUTHORIZED')
    const future = await list('?from=2999-01-01T00:00:00Z')
    expect(future.body).toEqual({ logins: [] })
  })
})
