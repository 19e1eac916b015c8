import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CodePicture, parseCodePicture } from '@saoma/protocol'
import { createTicket, type Gateway, onCleanup, request, startGateway } from '@saoma/testing'
import { type PoolNodes, sceneIn, startPoolNodes } from './pool-nodes.ts'

const CDN = 'https://cdn.example.com/codes'

let nodes: PoolNodes
let [pooled, fresh, plain]: Gateway[] = []
beforeAll(async () => {
  const webRoot = await mkdtemp(join(tmpdir(), 'saoma-pages-'))
  onCleanup(() => rm(webRoot, { recursive: true }))
  await writeFile(join(webRoot, 'page1.html'), '<!doctype html><title>A page</title>')
  nodes = await startPoolNodes({ nodes: 1, dry: true, env: { SAOMA_POOL_CDN: CDN, SAOMA_WEB_ROOT: webRoot } })
  ;[pooled] = nodes.nodes
  const { SAOMA_ORIGIN: origin, REDIS_URL: redisUrl, ...env } = nodes.settings
  const start = (nodeId: string, others: Record<string, string>) =>
    startGateway({ redisUrl, nodeId, origin, env: { ...env, ...others } })
  ;[fresh, plain] = await Promise.all([
    start('fresh', { SAOMA_CODES: 'fresh' }),
    start('plain', { SAOMA_CODES: 'fresh', SAOMA_DEMO: 'true' }),
  ])
})

const openOn = async (node: Gateway | undefined): Promise<string> => {
  const { ticket } = await createTicket(node?.origin ?? '')
  return `${node?.origin}/v1/tickets/${ticket}/qr`
}
const asJson = async (url: string): Promise<CodePicture> => {
  const answer = await request(url, { headers: { accept: 'application/json' } })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const picture = parseCodePicture(answer.body)
  if (!picture.ok) throw new Error('this is no picture')
  return picture.value
}

test.each([
  ['image/avif,image/webp,*/*;q=0.8', 'image/png'],
  ['*/*', 'image/png'],
  ['text/html', 'image/png'],
  ['image/*;q=0.5, application/json', 'application/json'],
  ['application/json', 'application/json'],
])('a client that accepts %s gets %s', async (accept, type) => {
  const answer = await fetch(await openOn(plain), { headers: { accept } })
  expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([200, type])
  expect(answer.headers.get('vary')).toMatch(/\bAccept\b/)
})

test('a plain code has the same bytes in both forms, and a link', async () => {
  const url = await openOn(plain)
  const image = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect(await asJson(url)).toEqual({
    code: 'plain',
    url: `data:image/png;base64,${image.toString('base64')}`,
    link: true,
  })
})

test('a code that WeChat draws for the ticket is a data: URL without a check number', async () => {
  await nodes.up()
  const url = await openOn(fresh)
  const { code, url: data, ...rest } = await asJson(url)
  await nodes.down()
  expect([code, rest]).toEqual(['mini-program', { link: true }])
  expect(url).toContain(sceneIn(Buffer.from(data.replace('data:image/jpeg;base64,', ''), 'base64')))
})

// The JSON has the hash of the picture as well, and both forms carry the check number.
test('a pooled code is its public address in JSON, and its bytes for an image request', async () => {
  for await (const { scene } of nodes.pool.list()) await nodes.pool.retire([scene])
  const scene = await nodes.addCode(1)
  const url = await openOn(pooled)
  const bytes = `the picture of ${scene}`
  const picture = await asJson(url)
  expect(picture).toEqual({
    code: 'mini-program',
    url: `${CDN}/${scene}.jpg`,
    integrity: `sha256-${createHash('sha256').update(bytes).digest('base64')}`,
    check: expect.stringMatching(/^[1-9]\d$/),
    link: true,
  })
  const image = await request(url)
  expect(image.body).toBe(bytes)
  expect(Object.fromEntries(image.headers)).toMatchObject({
    'content-type': 'image/jpeg',
    'cache-control': 'no-store',
    'x-saoma-code': 'mini-program',
    'x-saoma-check': picture.check,
  })
})

test('our pages may fetch from that public place, and from nowhere else', async () => {
  const { headers } = await request(`${pooled?.origin}/page1.html`)
  const sources = /connect-src ([^;]*)/.exec(headers.get('content-security-policy') ?? '')?.[1]?.split(' ')
  expect(sources).toEqual(["'self'", nodes.settings.SAOMA_ORIGIN.replace('http', 'ws'), 'https://cdn.example.com'])
})

test('one ticket gets six pictures in two minutes, whatever their form', async () => {
  const url = await openOn(plain)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      request(url, { headers: { accept: i % 2 ? 'application/json' : 'image/png' } }),
    ),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(6)
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(14)
})
