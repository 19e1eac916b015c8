import { createHmac } from 'node:crypto'
import { CLUSTER_VERSION } from '@saoma/redis'
import { type Cluster, request, startCluster } from '@saoma/testing'
import { provesSecret, signDiagnosis } from '../src/access/diagnosis-token.ts'
import { FORGED, judgeForwarded, type Seen } from '../src/doctor/forwarded.ts'
import { judgeVersions } from '../src/doctor/versions.ts'
import { version } from '../src/operate/version.ts'

const SECRET = 'the present secret of the doctor and its tests'
const FORMER = 'the former secret of the doctor and tests!'

describe('the route', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2, env: { SAOMA_SECRET: SECRET, SAOMA_PREVIOUS_SECRET: FORMER } })
  })
  const ask = (bearer?: string, headers: Record<string, string> = {}) =>
    request(`${cluster.origin}/v1/diagnosis`, { headers, ...(bearer ? { bearer } : {}) })
  const sign = (secret: string, ms: number) => signDiagnosis(secret, new URL(cluster.origin).host, ms)
  const lines = () => cluster.nodes.flatMap((node) => node.lines).map(({ text }) => text)

  test('it tells who knows a secret how the node sees the request', async () => {
    const before = Date.now()
    for (const secret of [SECRET, FORMER]) {
      const { status, body, headers } = await ask(sign(secret, Date.now()))
      expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
      expect(body).toEqual({
        node: headers.get('x-saoma-node'),
        version,
        clusterVersion: CLUSTER_VERSION,
        ip: '127.0.0.1',
        peer: '127.0.0.1',
        proto: 'http',
        host: new URL(cluster.origin).host,
        untrusted: null,
        time: expect.any(Number),
      })
      expect((body as { time: number }).time).toBeGreaterThanOrEqual(before)
      for (const each of [SECRET, FORMER]) expect(JSON.stringify(body)).not.toContain(each)
    }
  })

  test('it names a proxy that forwards and is not trusted, and the log does not take the doctor for one', async () => {
    const { body } = await ask(sign(SECRET, Date.now()), { 'x-forwarded-for': FORGED })
    expect(body).toMatchObject({ ip: '127.0.0.1', untrusted: { address: '127.0.0.1', setting: 'NGINX_TRUST' } })
    expect(lines().filter((line) => line.includes('"event":"proxy"'))).toEqual([])
    await request(`${cluster.origin}/v1/nothing`, { headers: { 'x-forwarded-for': FORGED } })
    expect(lines().filter((line) => line.includes('"event":"proxy"'))).toHaveLength(1)
  })

  test('anybody else gets what an unknown address answers', async () => {
    const now = Date.now()
    const plainMac = createHmac('sha256', SECRET).update(`${now}`).digest('base64url')
    const tries = [
      undefined,
      'x',
      SECRET,
      `${now}.`,
      `${now}.${'A'.repeat(43)}`,
      `${now}.${plainMac}`,
      sign('another secret, also of thirty-two characters', now),
      sign(SECRET, now - 120_000),
      sign(SECRET, now + 120_000),
      signDiagnosis(SECRET, 'login.example.com', now),
      sign(SECRET, now).replace(/^\d+/, String(now + 1)),
    ]
    const { body: unknown, status } = await request(`${cluster.origin}/v1/nothing`)
    for (const bearer of tries) {
      const answer = await ask(bearer)
      expect(answer.status).toBe(status)
      expect(answer.body).toEqual({ ...(unknown as object), instance: expect.any(String) })
    }
  })
})

test('a proof is good for a minute before and after, for its secret and for its host only', () => {
  const now = 1_800_000_000_000
  const host = 'login.example.com'
  const proof = signDiagnosis(SECRET, host, now)
  expect(proof).toMatch(/^1800000000000\.[\w-]{43}$/)
  for (const ms of [-60_000, 0, 60_000])
    expect(provesSecret(proof, { secrets: [FORMER, SECRET], host, now: now + ms })).toBe(true)
  for (const ms of [-60_001, 60_001])
    expect(provesSecret(proof, { secrets: [SECRET], host, now: now + ms })).toBe(false)
  expect(provesSecret(proof, { secrets: [SECRET], host: 'login.example.com:8443', now })).toBe(false)
  expect(provesSecret(proof, { secrets: [FORMER], host, now })).toBe(false)
  expect(provesSecret(proof, { secrets: [], host, now })).toBe(false)
  expect(provesSecret(undefined, { secrets: [SECRET], host, now })).toBe(false)
})

/*
 * Where the origin is public cannot be tried on one machine, so these are judged from what would be seen.
 */
describe('how visitors are seen', () => {
  const seen = (
    { ip, own, peer, host = 'login.example.com' }: { ip: string; own: string; peer: string; host?: string },
    forgedIp = ip,
  ): Seen => ({
    origin: 'https://login.example.com',
    trustedProxies: ['10.0.0.0/8', '127.0.0.0/8'],
    plain: {
      own,
      peer,
      diagnosis: {
        ...{ node: 'a', version: '1.0.0', clusterVersion: 2, proto: 'https', untrusted: null, time: 0 },
        ...{ ip, host, peer: '10.0.0.2' },
      },
    },
    forgedIp,
  })
  const outside = { own: '192.168.1.5', peer: '93.184.215.14' }
  const office = '151.101.1.69'

  test.each([
    ['a visitor from outside', seen({ ...outside, ip: office }), ['forwarded-address', 'ok']],
    ['a made-up address from outside', seen({ ...outside, ip: office }, FORGED), ['forwarded-forged', 'error']],
    [
      'the address of a proxy, or a machine inside of another network',
      seen({ own: '192.168.1.5', peer: '93.184.215.14', ip: '10.0.0.7' }),
      ['forwarded-address', 'warning'],
    ],
    [
      'this machine in a trusted network',
      seen({ own: '10.0.0.9', peer: '10.0.0.2', ip: '10.0.0.9' }, FORGED),
      ['forwarded-forged', 'skipped'],
    ],
    [
      'the address of the proxy, from inside',
      seen({ own: '10.0.0.9', peer: '10.0.0.2', ip: '10.0.0.2' }),
      ['forwarded-address', 'error'],
    ],
    [
      'the bridge of Docker, from inside',
      seen({ own: '10.0.0.9', peer: '10.0.0.2', ip: '172.17.0.1' }),
      ['forwarded-address', 'warning'],
    ],
    [
      'the same address at both ends',
      seen({ own: '10.0.0.2', peer: '10.0.0.2', ip: '10.0.0.2' }),
      ['forwarded-address', 'skipped'],
    ],
  ])('%s', (_, what, [code, level]) => {
    expect(judgeForwarded(what)).toMatchObject([{ code, level }])
  })

  test('a host that is not the origin’s makes pages redirect for ever', () => {
    const findings = judgeForwarded(seen({ ...outside, ip: office, host: '127.0.0.1:8080' }))
    expect(findings.find(({ code }) => code === 'forwarded-host')).toMatchObject({ level: 'error' })
  })
})

describe('versions of nodes', () => {
  const node = (name: string, clusterVersion = CLUSTER_VERSION) => ({ node: name, version, clusterVersion })

  test('nodes of one cluster version are fine', () => {
    expect(judgeVersions([node('a'), node('b')], [])).toMatchObject([{ level: 'ok' }])
  })
  test('nodes of several, nodes of another, and nodes that tell nothing are named', () => {
    expect(judgeVersions([node('a'), node('b', 1)], [])).toMatchObject([
      { level: 'warning', says: expect.stringContaining('b (') },
    ])
    expect(judgeVersions([node('a', CLUSTER_VERSION + 1)], [])).toMatchObject([
      { level: 'warning', todo: expect.stringContaining('the doctor of the version') },
    ])
    expect(judgeVersions([node('a')], ['c'])).toMatchObject([
      { level: 'warning', says: expect.stringContaining(': c.') },
    ])
  })
})
