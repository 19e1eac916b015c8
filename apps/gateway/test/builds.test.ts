import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createRedis } from '@saoma/redis'
import { type Gateway, onCleanup, type RedisServer, request, startGateway, startRedis } from '@saoma/testing'
import { openBuilds } from '../src/transport/http/builds.ts'
import { openOperator } from './fixtures.ts'

const origin = 'http://127.0.0.1'
const SECRET = 'a secret of a test that nobody keeps'

const buildOf = async (files: Record<string, string>): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'saoma-pages-'))
  onCleanup(() => rm(root, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  return root
}

let redis: RedisServer
beforeEach(async () => {
  redis = await startRedis()
})

const start = (nodeId: string, root: string, env: Record<string, string> = {}): Promise<Gateway> =>
  startGateway({ redisUrl: redis.url, nodeId, origin, env: { SAOMA_WEB_ROOT: root, SAOMA_SECRET: SECRET, ...env } })

const get = (node: Gateway, path: string, method = 'GET') => request(`${node.origin}${path}`, { method })

const former = {
  'index.html': 'former',
  'assets/a-11111111.js': 'a()',
  'assets/a-11111111.css': 'a{}',
  'gone.html': '<p>',
}
const next = { 'index.html': 'next', 'assets/a-22222222.js': 'b()', 'new.html': '<p>' }

test('a node serves the files of another build, even after its last node has stopped', async () => {
  const a = await start('a', await buildOf(former))
  const b = await start('b', await buildOf(next))
  const script = await get(a, '/assets/a-22222222.js')
  expect([script.status, script.body]).toEqual([200, 'b()'])
  expect(script.headers.get('content-type')).toMatch(/^(text|application)\/javascript/)
  expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect((await get(a, '/index')).body).toBe('former')
  const page = await get(a, '/new')
  expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-cache'])
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
  expect((await get(b, '/assets/a-11111111.css', 'HEAD')).status).toBe(200)
  await a.stop()
  expect((await get(b, '/assets/a-11111111.js')).body).toBe('a()')
  for (const path of ['/assets/a-33333333.js', '/wp-login.php', '/assets/'])
    expect([path, (await get(b, path)).status]).toEqual([path, 404])
})

const SDK_DAYS = 90
const PAGE_DAYS = 7
const DAY = 24 * 3_600

test('a version of the SDK is there for pages of every origin, on nodes of every build, for 90 days', async () => {
  const sdkOf = (version: string) => ({
    'index.html': version,
    [`sdk/${version}/saoma.js`]: `export const version = '${version}'`,
    'sdk/version.json': JSON.stringify({ version }),
    'saoma-login.js': 'c()',
  })
  const [old, young] = ['0.1.0-11111111', '0.1.0-22222222']
  const a = await start('a', await buildOf(sdkOf(old)))
  const b = await start('b', await buildOf(sdkOf(young)))
  const openness = ({ headers }: Awaited<ReturnType<typeof get>>) =>
    ['access-control-allow-origin', 'cross-origin-resource-policy'].map((name) => headers.get(name))
  const isOpen = ['*', 'cross-origin']

  for (const [node, version] of [a, b].flatMap((node) => [old, young].map((version) => [node, version] as const))) {
    const script = await get(node, `/sdk/${version}/saoma.js`)
    expect([script.status, script.body]).toEqual([200, `export const version = '${version}'`])
    expect(script.headers.get('content-type')).toMatch(/^(text|application)\/javascript/)
    expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(openness(script)).toEqual(isOpen)
  }
  const told = await get(a, '/sdk/version.json')
  expect([told.body, told.headers.get('cache-control')]).toEqual([{ version: old }, 'no-cache'])
  for (const path of ['/sdk/version.json', '/saoma-login.js']) expect(openness(await get(b, path))).toEqual(isOpen)
  expect(openness(await get(b, '/'))).toEqual([null, null])

  // Its page can read what is wrong.
  const unknown = await get(a, '/sdk/0.1.0-33333333/saoma.js')
  expect(unknown).toMatchObject({ status: 404, body: { code: 'NOT_FOUND', react: 'stop' } })
  expect(openness(unknown)).toEqual(isOpen)
  expect(unknown.headers.get('cache-control')).toBe('no-store')
  for (const path of ['/sdk/', '/sdk', `/sdk/${old}/`, `/sdk/${old}`])
    expect([path, (await get(a, path)).status]).toEqual([path, 404])

  const writer = await openOperator(redis.url)
  const days = async (path: string) => Math.round((await writer.ttl(`saoma:page:{${path}}`)) / DAY)
  expect(await days(`/sdk/${old}/saoma.js`)).toBe(SDK_DAYS)
  expect(await days('/saoma-login.js')).toBe(PAGE_DAYS)
  await a.stop()
  expect((await get(b, `/sdk/${old}/saoma.js`)).status).toBe(200)
})

test('a node serves only those files of Redis that a node with a known secret sealed', async () => {
  const before = await start('a', await buildOf(former))
  const changed = { SAOMA_SECRET: 'another secret of a test, of today', SAOMA_PREVIOUS_SECRET: SECRET }
  const changing = await start('b', await buildOf(next), changed)
  expect((await get(changing, '/assets/a-11111111.js')).body).toBe('a()')
  expect((await get(before, '/assets/a-22222222.js')).body).toBe('b()')

  // When the former secret is taken out, what was sealed meanwhile stays good.
  const clients = await createRedis({ url: redis.url, probeMs: 0 })
  onCleanup(() => clients.close())
  const root = await buildOf({})
  const later = await openBuilds(clients, { root, secrets: [changed.SAOMA_SECRET], onError: () => {} })
  onCleanup(later.close)
  expect(String(await later.find('/assets/a-22222222.js'))).toBe('b()')
  expect(await later.find('/assets/a-11111111.js')).toBeUndefined()

  const writer = await openOperator(redis.url)
  const [a, b] = ['saoma:page:{/assets/a-22222222.js}', 'saoma:page:{/assets/a-11111111.css}']
  const sealed = await writer.getBuffer(a)
  if (!sealed) throw new Error('there is no such file')
  // Of another name, in part, and not at all.
  await writer.set(b, sealed)
  expect(await later.find('/assets/a-11111111.css')).toBeUndefined()
  await writer.set(a, sealed.subarray(0, -1), 'KEEPTTL')
  expect(await later.find('/assets/a-22222222.js')).toBeUndefined()
  await writer.set(a, 'alert(1)', 'KEEPTTL')
  expect(await later.find('/assets/a-22222222.js')).toBeUndefined()
  expect(await writer.ttl(a)).toBeGreaterThan(6 * 24 * 3_600)
})
