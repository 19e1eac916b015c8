import { readFile, writeFile } from 'node:fs/promises'
import { type Certificate, createAuthority, createSelfSigned, freePort, startOuterNginx } from '@saoma/testing'
import { forwarded } from '../src/doctor/forwarded.ts'
import { checkOrigin } from '../src/doctor/origin.ts'
import { originChecks } from '../src/doctor/origin-checks.ts'
import { transports } from '../src/doctor/transports.ts'
import { bad, type DoctorCluster, found, inDays90, ROOT_FILE, startDoctorCluster } from './doctor-cluster.ts'
import { passOn, startStalled, UPGRADE_MAP } from './doctor-fronts.ts'

let place: DoctorCluster

beforeAll(async () => {
  place = await startDoctorCluster([])
}, 120_000)

const serve = async (server: string, certificate?: Certificate) =>
  (await startOuterNginx({ server, ...(certificate ? { certificate } : {}) })).origin
/** What is wrong with an origin. */
const pick = async (origin: string) => bad(await checkOrigin().run(place.subject(origin)))

test('a healthy cluster behind a healthy proxy is fine in every respect', async () => {
  const findings = (
    await Promise.all(originChecks.map((check) => check.run(place.subject(place.config.origin))))
  ).flat()
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

test('a dead one is named, and nothing else is red', async () => {
  const origin = `http://127.0.0.1:${await freePort()}`
  expect(await pick(origin)).toMatchObject([
    { code: 'origin-connect', level: 'error', says: expect.stringContaining('nothing listens there') },
  ])
  for (const check of originChecks.filter(({ name }) => name !== 'origin'))
    expect(await check.run(place.subject(origin))).toMatchObject([{ level: 'skipped' }])
})

test('a name that does not exist is named', async () => {
  expect(await pick('https://nowhere.invalid')).toMatchObject([{ code: 'origin-name', level: 'error' }])
})

test('one of two addresses that is dead is worth a sentence', async () => {
  const { port } = new URL(await serve('return 200;'))
  const lookup = async () => ['127.0.0.1', '127.0.0.3'].map((address) => ({ address, family: 4 }))
  const findings = await checkOrigin(lookup).run(place.subject(`http://name.invalid:${port}`))
  expect(found(findings, 'origin-connect')).toMatchObject({
    level: 'warning',
    says: expect.stringMatching(/^1 of 2 addresses .*127\.0\.0\.3/),
  })
})

test('each fault of a certificate has its own sentence', async () => {
  const strange = createAuthority()
  const alone = strange.issue(['127.0.0.1'], { until: inDays90() })
  const whole = { ...alone, certFile: `${alone.certFile}.chain` }
  await writeFile(whole.certFile, (await readFile(alone.certFile, 'utf8')) + (await readFile(strange.caFile, 'utf8')))
  const faults: [Certificate, RegExp][] = [
    [place.authority.issue(['127.0.0.1'], { until: new Date(Date.now() - 3_600_000) }), /has expired on \d{4}-/],
    [
      place.authority.issue(['login.example.com'], { until: inDays90() }),
      /is for another name \(DNS:login\.example\.com\)/,
    ],
    [createSelfSigned(['127.0.0.1']), /is self-signed/],
    [alone, /chain of the certificate of 127\.0\.0\.1 is incomplete/],
    [whole, /is of the authority "Saoma tests", which this machine does not trust/],
  ]
  for (const [certificate, says] of faults)
    expect(await pick(await serve('return 200;', certificate))).toEqual([
      { code: 'origin-certificate', level: 'error', says: expect.stringMatching(says), todo: expect.any(String) },
    ])
  const soon = place.authority.issue(['127.0.0.1'], { until: new Date(Date.now() + 5.5 * 86_400_000) })
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
  const other = { 'proxy_set_header Host': '$proxy_host', 'proxy_set_header Connection': "''" }
  expect(found(await pick(await serve(passOn(place.inside, other))), 'origin-cluster')?.says).toContain(
    `has another origin: ${place.config.origin}`,
  )
  const dead = `http://127.0.0.1:${await freePort()}`
  expect(await pick(await serve(passOn(dead, { 'proxy_set_header Connection': "''" })))).toMatchObject([
    { code: 'origin-http', says: expect.stringMatching(/answers with 502, so a proxy answers and reaches no node/) },
  ])
})

test('pages that are not served as scripts are named', async () => {
  const page = `location = /${ROOT_FILE} { default_type text/html; return 200 '<html>'; }`
  const { origin } = await startOuterNginx({ http: UPGRADE_MAP, server: `${page} ${passOn(place.inside)}` })
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
      transports.run(place.subject(stalled)),
      forwarded.run(place.subject(stalled)),
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
    const looked = check.run({ ...place.subject(stalled), signal: over.signal })
    over.abort()
    expect((await looked).filter(({ level }) => level === 'ok')).toEqual([])
  }
})
