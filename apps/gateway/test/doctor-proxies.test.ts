import { freePort, startOuterNginx } from '@saoma/testing'
import type { Finding } from '../src/doctor/finding.ts'
import { transports } from '../src/doctor/transports.ts'
import { bad, type DoctorCluster, found, startDoctorCluster } from './doctor-cluster.ts'
import { passOn, startHoarding, UPGRADE_MAP } from './doctor-fronts.ts'

/* What the doctor finds of a proxy in front of a cluster that is in order. */

let place: DoctorCluster

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
  otherHost: { over: { 'proxy_set_header Host': '$proxy_host' } },
  closedPaths: { more: 'location /socket.io/ { return 404; } location = /ws { return 503; }' },
} satisfies Record<string, { over?: Record<string, string>; more?: string }>
type Broken = keyof typeof broken
const names = Object.keys(broken) as Broken[]
/** Proxies that start later. The nodes allow their origins, too. */
const LATER = ['packing', 'keeping', 'bypass'] as const
type Name = Broken | (typeof LATER)[number]
const ports = new Map<Name, number>()
const originAt = (name: Name): string => `http://127.0.0.1:${ports.get(name)}`

beforeAll(async () => {
  for (const name of [...names, ...LATER]) ports.set(name, await freePort())
  place = await startDoctorCluster([...ports.keys()].map(originAt))
  for (const name of names) {
    const { over, more = '' } = broken[name] as { over?: Record<string, string>; more?: string }
    await startOuterNginx({
      port: ports.get(name) ?? 0,
      http: UPGRADE_MAP,
      server: `${more.replace('INSIDE', place.inside)} ${passOn(place.inside, over)}`,
    })
  }
}, 120_000)

describe('what a proxy does to the transports', () => {
  const results = new Map<string, Finding[]>()

  // Each waits for a heartbeat of 15 s, so they are looked at together.
  beforeAll(async () => {
    await startHoarding({ inside: place.inside, port: ports.get('packing') ?? 0, keeps: 'pack' })
    await startHoarding({ inside: place.inside, port: ports.get('keeping') ?? 0, keeps: 'rest' })
    const servers = place.cluster.nodes.map(({ port }) => `server 127.0.0.1:${port};`)
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
    await Promise.all(
      looked.map(async (name) => results.set(name, await transports.run(place.subject(originAt(name))))),
    )
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
    const { origin } = await startOuterNginx({ http: UPGRADE_MAP, server: passOn(place.inside) })
    const findings = bad(await transports.run(place.subject(origin)))
    expect(found(findings, 'websocket')?.says).toContain('ORIGIN_NOT_ALLOWED')
    expect(found(findings, 'ticket')?.says).toContain('403 ORIGIN_NOT_ALLOWED')
  })
})
