import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import {
  type Authority,
  type Certificate,
  type Cluster,
  createAuthority,
  createSelfSigned,
  freePort,
  onCleanup,
  startCluster,
  startNginx,
  startOuterNginx,
} from '@saoma/testing'
import { type Config, readConfig } from '../src/config/config.ts'
import type { Subject } from '../src/doctor/check.ts'
import type { Finding } from '../src/doctor/finding.ts'
import { forwarded } from '../src/doctor/forwarded.ts'
import { checkOrigin } from '../src/doctor/origin.ts'
import { originChecks } from '../src/doctor/origin-checks.ts'
import { transports } from '../src/doctor/transports.ts'
import { passOn, startHoarding, startStalled, UPGRADE_MAP } from './doctor-fronts.ts'

const DAYS_90 = () => new Date(Date.now() + 90 * 86_400_000)
const ROOT_FILE = 'saoma-login.js'

let authority: Authority
let cluster: Cluster
let config: Config
/** The nginx of the cluster, past the healthy proxy. */
let inside: string

/** Proxies that stand between the doctor and that nginx, and the port of each. */
const broken = {
  // As nginx before 1.29.7 does it where nothing is said.
  buffering: {
    more: 'location /v1/ { proxy_pass INSIDE; proxy_http_version 1.0; proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; }',
  },
  gzip: {
    over: { proxy_buffering: 'on', proxy_ignore_headers: 'X-Accel-Buffering' },
    more: 'gzip on; gzip_proxied any; gzip_types text/event-stream; gzip_min_length 0;',
  },
  noUpgrade: { over: { 'proxy_set_header Upgrade': "''", 'proxy_set_header Connection': "''" } },
  impatient: { over: { proxy_read_timeout: '3s' } },
  asItCame: { over: { 'proxy_set_header X-Forwarded-For': '$http_x_forwarded_for' } },
  tellsNobody: { over: { 'proxy_set_header X-Forwarded-For': "''" } },
  otherHost: { over: { 'proxy_set_header Host': '$proxy_host' } },
  closedPaths: { more: 'location /socket.io/ { return 404; } location = /ws { return 503; }' },
} satisfies Record<string, { over?: Record<string, string>; more?: string }>
type Broken = keyof typeof broken
const names = Object.keys(broken) as Broken[]
const ports = new Map<Broken | 'stranger' | 'packing' | 'keeping' | 'bypass', number>()
const originAt = (name: Parameters<typeof ports.get>[0]): string => `http://127.0.0.1:${ports.get(name)}`

const subject = (origin: string, settings: Config | undefined = config): Subject => ({
  origin,
  ...(settings ? { config: settings } : {}),
  signal: new AbortController().signal,
})
/** What is not fine, by code. */
const bad = (findings: readonly Finding[]) => findings.filter(({ level }) => level !== 'ok')
const found = (findings: readonly Finding[], code: string): Finding | undefined =>
  findings.find((finding) => finding.code === code)

beforeAll(async () => {
  authority = createAuthority()
  const before = getCACertificates('default')
  setDefaultCACertificates([...before, await readFile(authority.caFile, 'utf8')])
  onCleanup(() => setDefaultCACertificates(before))

  const webRoot = await mkdtemp(join(tmpdir(), 'saoma-doctor-'))
  onCleanup(() => rm(webRoot, { recursive: true, force: true }))
  await writeFile(join(webRoot, ROOT_FILE), 'export {}\n')

  for (const name of [...names, 'stranger', 'packing', 'keeping', 'bypass'] as const) ports.set(name, await freePort())
  const port = await freePort()
  const origin = `https://127.0.0.1:${port}`
  const settings = {
    SAOMA_WEB_ROOT: webRoot,
    SAOMA_ALLOWED_ORIGINS: [...ports.keys()].map(originAt).join(','),
  }
  cluster = await startCluster({ nodes: 2, origin, nginxEnv: { NGINX_TRUST: '127.0.0.1' }, env: settings })
  inside = cluster.nginx.origin
  config = readConfig({
    ...settings,
    SAOMA_ORIGIN: origin,
    SAOMA_DEMO: 'true',
    SAOMA_SECRET: 'a secret of tests, which nobody keeps',
  })
  const http = UPGRADE_MAP
  await startOuterNginx({
    port,
    http,
    server: passOn(inside),
    certificate: authority.issue(['127.0.0.1'], { until: DAYS_90() }),
  })
  for (const name of names) {
    const { over, more = '' } = broken[name] as { over?: Record<string, string>; more?: string }
    await startOuterNginx({
      port: ports.get(name) ?? 0,
      http,
      server: `${more.replace('INSIDE', inside)} ${passOn(inside, over)}`,
    })
  }
}, 120_000)

test('a healthy cluster behind a healthy proxy is fine in every respect', async () => {
  const findings = (await Promise.all(originChecks.map((check) => check.run(subject(config.origin))))).flat()
  expect(bad(findings)).toEqual([])
  expect(findings.map(({ code }) => code).sort()).toEqual(
    [
      'origin-connect',
      'origin-certificate',
      'origin-cluster',
      'origin-pages',
      'origin-clock',
      'websocket',
      'polling',
      'event-stream',
      'long-poll',
      'forwarded-address',
      'origin-versions',
    ].sort(),
  )
  expect(found(findings, 'forwarded-address')?.says).toContain('127.0.0.2')
  expect(found(findings, 'origin-versions')?.says).toMatch(/a \(.+, cluster version \d+\), b \(/)
  // No finding has a to-do that is not needed.
  expect(findings.filter(({ todo }) => todo !== undefined)).toEqual([])
})

describe('what a proxy does to the transports', () => {
  const results = new Map<string, Finding[]>()

  // Each waits for a heartbeat of 15 s, so they are looked at together.
  beforeAll(async () => {
    await startHoarding({ inside, port: ports.get('packing') ?? 0, keeps: 'pack' })
    await startHoarding({ inside, port: ports.get('keeping') ?? 0, keeps: 'rest' })
    const servers = cluster.nodes.map(({ port }) => `server 127.0.0.1:${port};`)
    await startOuterNginx({
      port: ports.get('bypass') ?? 0,
      http: `${UPGRADE_MAP} upstream nodes { ${servers.join(' ')} }`,
      server: passOn('http://nodes'),
    })
    const looked = [
      'buffering',
      'gzip',
      'noUpgrade',
      'impatient',
      'closedPaths',
      'packing',
      'keeping',
      'bypass',
    ] as const
    await Promise.all(looked.map(async (name) => results.set(name, await transports.run(subject(originAt(name))))))
  }, 120_000)
  const of = (name: string) => bad(results.get(name) ?? [])

  test('a buffer holds the first event back', () => {
    expect(of('buffering')).toEqual([
      {
        code: 'event-stream',
        level: 'error',
        says: expect.stringContaining('A proxy buffers event streams'),
        todo: expect.stringContaining('proxy_buffering off'),
      },
    ])
  })

  test.each(['gzip', 'packing'])('a compression that holds events back is told apart from a buffer: %s', (name) => {
    expect(found(of(name), 'event-stream')).toMatchObject({
      level: 'error',
      says: expect.stringContaining('A proxy compresses event streams'),
    })
  })

  test('a proxy that passes on the first event and keeps later ones is found', () => {
    expect(found(of('keeping'), 'event-stream')).toMatchObject({
      level: 'error',
      says: expect.stringContaining('holds later events back'),
    })
  })

  test('without the header Upgrade no WebSocket opens, and all else works', () => {
    expect(of('noUpgrade')).toEqual([
      {
        code: 'websocket',
        level: 'error',
        says: expect.stringMatching(/at \/socket\.io\/ and \/ws: the header Upgrade does not reach the node/),
        todo: expect.stringContaining('docs/front.md'),
      },
    ])
  })

  test('a short read timeout cuts streams and held requests', () => {
    expect(of('impatient')).toMatchObject([
      { code: 'event-stream', level: 'error', says: expect.stringMatching(/cuts event streams after \d s/) },
      { code: 'long-poll', level: 'error', says: expect.stringMatching(/A proxy answers a held request with 504/) },
    ])
  })

  test('a path that is not passed on, and one that fails, have sentences of their own', () => {
    expect(of('closedPaths')).toMatchObject([
      { code: 'websocket', says: expect.stringContaining('/socket.io/: the proxy does not know the path (404)') },
      { code: 'websocket', says: expect.stringContaining('/ws: the proxy answers with 503') },
      { code: 'polling', level: 'error', says: expect.stringContaining('the proxy answers the handshake with 404') },
    ])
  })

  test('a balancer that does not route by session breaks polling', () => {
    expect(of('bypass')).toMatchObject([
      { code: 'polling', level: 'error', says: expect.stringContaining('does not stay on its node') },
    ])
  })

  test('an origin that the nodes do not allow is named as the reason', async () => {
    const { origin } = await startOuterNginx({ http: UPGRADE_MAP, server: passOn(inside) })
    const findings = bad(await transports.run(subject(origin)))
    expect(found(findings, 'websocket')?.says).toContain('ORIGIN_NOT_ALLOWED')
    expect(found(findings, 'ticket')?.says).toContain('403 ORIGIN_NOT_ALLOWED')
  })
})

describe('what a proxy says about visitors', () => {
  test('a made-up address that the proxy passes on is found', async () => {
    expect(await forwarded.run(subject(originAt('asItCame')))).toMatchObject([
      { code: 'forwarded-forged', level: 'error', says: expect.stringContaining('made up') },
    ])
  })

  test('a proxy that does not say who asks is found', async () => {
    expect(await forwarded.run(subject(originAt('tellsNobody')))).toMatchObject([
      { code: 'forwarded-address', level: 'error', says: expect.stringContaining('a proxy’s address') },
    ])
  })

  test('a proxy that nginx does not trust is found, with the setting', async () => {
    const { origin } = await startNginx({ nodes: cluster.nodes })
    await startOuterNginx({ port: ports.get('stranger') ?? 0, http: UPGRADE_MAP, server: passOn(origin) })
    expect(await forwarded.run(subject(originAt('stranger')))).toMatchObject([
      {
        code: 'forwarded-untrusted',
        level: 'error',
        says: expect.stringContaining('127.0.0.1 passes requests on, and NGINX_TRUST'),
      },
    ])
  })

  test('a proxy that changes the host is found', async () => {
    const findings = await forwarded.run(subject(originAt('otherHost')))
    expect(bad(findings)).toMatchObject([{ code: 'forwarded-host', level: 'error' }])
  })

  test('without the secret of the cluster it is not tried, and says so', async () => {
    const other = { ...config, secrets: ['a secret of somebody else, of another place'] as [string] }
    expect(await forwarded.run(subject(config.origin, other))).toMatchObject([
      { code: 'forwarded', level: 'skipped', todo: expect.stringContaining('SAOMA_SECRET') },
    ])
    const unknown = { origin: config.origin, signal: new AbortController().signal }
    expect(await forwarded.run(unknown)).toMatchObject([{ code: 'forwarded', level: 'skipped' }])
  })
})

describe('an origin', () => {
  const { run } = checkOrigin()
  const serve = async (server: string, certificate?: Certificate) =>
    (await startOuterNginx({ server, ...(certificate ? { certificate } : {}) })).origin
  const pick = async (origin: string) => bad(await run(subject(origin)))

  test('a dead one is named, and nothing else is red', async () => {
    const origin = `http://127.0.0.1:${await freePort()}`
    expect(await pick(origin)).toMatchObject([
      { code: 'origin-connect', level: 'error', says: expect.stringContaining('nothing listens there') },
    ])
    for (const check of originChecks.filter(({ name }) => name !== 'origin'))
      expect(await check.run(subject(origin))).toMatchObject([{ level: 'skipped' }])
  })

  test('a name that does not exist is named', async () => {
    expect(await pick('https://nowhere.invalid')).toMatchObject([{ code: 'origin-name', level: 'error' }])
  })

  test('one of two addresses that is dead is worth a sentence', async () => {
    const { port } = new URL(await serve('return 200;'))
    const lookup = async () => ['127.0.0.1', '127.0.0.3'].map((address) => ({ address, family: 4 }))
    const findings = await checkOrigin(lookup).run(subject(`http://name.invalid:${port}`))
    expect(found(findings, 'origin-connect')).toMatchObject({
      level: 'warning',
      says: expect.stringMatching(/^1 of 2 addresses .*127\.0\.0\.3/),
    })
  })

  test('each fault of a certificate has its own sentence', async () => {
    const strange = createAuthority()
    const alone = strange.issue(['127.0.0.1'], { until: DAYS_90() })
    const whole = { ...alone, certFile: `${alone.certFile}.chain` }
    await writeFile(whole.certFile, (await readFile(alone.certFile, 'utf8')) + (await readFile(strange.caFile, 'utf8')))
    const faults: [Certificate, RegExp][] = [
      [authority.issue(['127.0.0.1'], { until: new Date(Date.now() - 3_600_000) }), /has expired on \d{4}-/],
      [authority.issue(['login.example.com'], { until: DAYS_90() }), /is for another name \(DNS:login\.example\.com\)/],
      [createSelfSigned(['127.0.0.1']), /is self-signed/],
      [alone, /chain of the certificate of 127\.0\.0\.1 is incomplete/],
      [whole, /is of the authority "Saoma tests", which this machine does not trust/],
    ]
    for (const [certificate, says] of faults)
      expect(await pick(await serve('return 200;', certificate))).toEqual([
        { code: 'origin-certificate', level: 'error', says: expect.stringMatching(says), todo: expect.any(String) },
      ])
    const soon = authority.issue(['127.0.0.1'], { until: new Date(Date.now() + 5.5 * 86_400_000) })
    expect(await pick(await serve('return 200;', soon))).toMatchObject([
      { code: 'origin-certificate', level: 'warning', says: expect.stringContaining('expires in 5 days') },
      { code: 'origin-cluster' },
    ])
  })

  test('a server without TLS at an https address is named', async () => {
    const origin = (await serve('return 200;')).replace('http:', 'https:')
    expect(await pick(origin)).toMatchObject([
      { code: 'origin-tls', level: 'error', says: expect.stringContaining('does not speak TLS') },
    ])
  })

  test.each([
    ['https://www.example.com$request_uri', /redirects to https:\/\/www\.example\.com,/, 'https://www.example.com'],
    ['https://127.0.0.1$request_uri', /redirects to https:\/\/127\.0\.0\.1,/, 'Set SAOMA_ORIGIN to https://127.0.0.1.'],
    ['/welcome', /to \/welcome, so something in front answers/, 'without a login page'],
  ])('a redirect to %s is named', async (to, says, todo) => {
    expect(
      await pick(
        await serve(`absolute_redirect off; location / { return 302 ${to}; } location = /welcome { return 200; }`),
      ),
    ).toEqual([
      {
        code: 'origin-redirect',
        level: 'error',
        says: expect.stringMatching(says),
        todo: expect.stringContaining(todo),
      },
    ])
  })

  test('another web server, another Saoma and a proxy without nodes are told apart', async () => {
    expect(await pick(await serve('return 200 hello;'))).toMatchObject([
      { code: 'origin-cluster', says: expect.stringMatching(/^Another web server answers .*Server: nginx/) },
    ])
    expect(found(await pick(originAt('otherHost')), 'origin-cluster')?.says).toContain(
      `has another origin: ${config.origin}`,
    )
    const dead = `http://127.0.0.1:${await freePort()}`
    expect(await pick(await serve(passOn(dead, { 'proxy_set_header Connection': "''" })))).toMatchObject([
      { code: 'origin-http', says: expect.stringMatching(/answers with 502, so a proxy answers and reaches no node/) },
    ])
  })

  test('pages that are not served as scripts are named', async () => {
    const page = `location = /${ROOT_FILE} { default_type text/html; return 200 '<html>'; }`
    const { origin } = await startOuterNginx({ http: UPGRADE_MAP, server: `${page} ${passOn(inside)}` })
    expect(found(await pick(origin), 'origin-pages')).toMatchObject({
      level: 'error',
      says: expect.stringContaining('type text/html'),
    })
  })

  test('a server that never answers ends the look by itself', async () => {
    const stalled = await startStalled()
    const late = expect.stringContaining('no answer came in time')
    expect(
      await Promise.all([
        pick(stalled),
        pick(stalled.replace('http:', 'https:')),
        transports.run(subject(stalled)),
        forwarded.run(subject(stalled)),
      ]),
    ).toMatchObject([
      [{ code: 'origin-http', level: 'error', says: late }],
      [{ code: 'origin-tls', level: 'error', says: late }],
      [{ code: 'transports', level: 'skipped' }],
      [{ code: 'forwarded', level: 'skipped' }],
    ])
  })

  test('an abort ends every look at once', async () => {
    const stalled = await startStalled()
    for (const check of originChecks) {
      const over = new AbortController()
      const looked = check.run({ ...subject(stalled), signal: over.signal })
      over.abort()
      expect((await looked).filter(({ level }) => level === 'ok')).toEqual([])
    }
  })
})
