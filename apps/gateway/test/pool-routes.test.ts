import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { confirm, createTicket, redeem, request, scan, testApiKey, until } from '@saoma/testing'
import { type CodeStore, createWechat } from '@saoma/wechat'
import { createPooledPicture } from '../src/login/qr/pooled-picture.ts'
import { startRefill } from '../src/login/qr/start-refill.ts'
import { createLog } from '../src/operate/log.ts'
import { createMetrics } from '../src/operate/metrics.ts'
import { type PoolNodes, resolve, startPoolNodes } from './pool-nodes.ts'

let nodes: PoolNodes
beforeAll(async () => {
  nodes = await startPoolNodes({ dry: true })
})
const origin = (node = 0) => nodes.nodes[node]?.origin ?? ''

interface Open {
  ticket: string
  deviceCode: string
  scene: string
  check: string
}
/** A page that shows the only code there is, which others have seen before. */
const open = async (): Promise<Open> => {
  const scene = await nodes.addCode(1)
  const { ticket, device_code: deviceCode } = await createTicket(origin())
  const picture = await request(`${origin()}/v1/tickets/${ticket}/qr`)
  expect(picture).toMatchObject({ status: 200, body: `the picture of ${scene}` })
  return { ticket, deviceCode, scene, check: picture.headers.get('x-saoma-check') ?? '' }
}
const wrongOf = (check: string): string => (check === '99' ? '10' : `${Number(check) + 1}`)

test('a code that others have seen needs the number beside it, on any node', async () => {
  const { ticket, deviceCode, scene, check } = await open()
  const phone = await nodes.phone('li')
  expect(check).toMatch(/^[1-9]\d$/)
  expect(await resolve(origin(1), scene, phone)).toMatchObject({ status: 409, body: { code: 'CHECK_REQUIRED' } })
  expect(await resolve(origin(1), scene, phone, wrongOf(check))).toMatchObject({
    status: 409,
    body: { code: 'CHECK_WRONG', react: 'stop' },
  })
  const found = await resolve(origin(1), scene, phone, check)
  expect(found).toMatchObject({ status: 200, body: { ticket } })
  expect(found.headers.get('cache-control')).toBe('no-store')
  await scan(origin(1), ticket, phone)
  await confirm(origin(1), ticket, phone)
  expect((await redeem(origin(), deviceCode)).status).toBe(200)
  // The lease goes on; the ticket is what is over.
  expect(await resolve(origin(), scene, phone, check)).toMatchObject({ status: 200, body: { ticket } })
  expect(await scan(origin(), ticket, await nodes.phone('wang'))).toMatchObject({
    status: 409,
    body: { code: 'TICKET_TAKEN' },
  })
  expect(await scan(origin(), ticket, phone)).toMatchObject({ status: 409, body: { code: 'TICKET_SETTLED' } })
})

test('only phones learn where a code leads', async () => {
  const { scene, check } = await open()
  const browser = async () => {
    const { ticket, device_code } = await createTicket(origin())
    const phone = await nodes.phone('li')
    await scan(origin(), ticket, phone)
    await confirm(origin(), ticket, phone)
    return (await redeem(origin(), device_code)).body.access_token
  }
  const answers = {
    nobody: await request(`${origin()}/v1/codes/${scene}`, { json: { check } }),
    browser: await resolve(origin(), scene, await browser(), check),
    backend: await resolve(origin(), scene, testApiKey, check),
    forger: await resolve(origin(), scene, 'made.up.token', check),
  }
  expect(answers).toMatchObject({
    nobody: { status: 401, body: { code: 'UNAUTHORIZED' } },
    browser: { status: 403, body: { code: 'FORBIDDEN' } },
    backend: { status: 401 },
    forger: { status: 401 },
  })
})

test.each([
  ['an empty body', undefined, 409, 'CHECK_REQUIRED'],
  ['a number that is no text', '{"check":47}', 422, 'INVALID'],
  ['three digits', '{"check":"047"}', 422, 'INVALID'],
  ['digits of another script', '{"check":"٤٧"}', 422, 'INVALID'],
  ['null', 'null', 422, 'INVALID'],
  ['no JSON', 'check=47', 422, 'INVALID'],
])('a request with %s is refused', async (_, body, status, code) => {
  const { scene } = await open()
  const answer = await fetch(`${origin()}/v1/codes/${scene}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await nodes.phone('li')}` },
    ...(body ? { body } : {}),
  })
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code])
})

test('what is no scene has no ticket, and an unknown or unleased scene has expired', async () => {
  const phone = await nodes.phone('li')
  const idle = await nodes.addCode()
  for (const odd of ['x', 'a'.repeat(22), 'a'.repeat(25), `${'a'.repeat(23)}%2F`, `${'a'.repeat(23)}%00`])
    expect(await resolve(origin(), odd, phone)).toMatchObject({ status: 404, body: { code: 'TICKET_NOT_FOUND' } })
  for (const unknown of ['a'.repeat(24), idle])
    expect(await resolve(origin(), unknown, phone, '47')).toMatchObject({
      status: 410,
      body: { code: 'TICKET_EXPIRED', react: 'renew' },
    })
  expect((await request(`${origin()}/v1/codes/${idle}`, { bearer: phone })).status).toBe(405)
  await nodes.pool.retire([idle])
  const rested = await nodes.addCode(1)
  for (const check of [undefined, '47'])
    expect(await resolve(origin(), rested, phone, check)).toMatchObject({
      status: 410,
      body: { code: 'TICKET_EXPIRED' },
    })
  await nodes.pool.retire([rested])
})

test('five of twenty pages that ask two nodes for five codes at once get one each', async () => {
  const scenes = await Promise.all(Array.from({ length: 5 }, () => nodes.addCode()))
  const tickets = await Promise.all(Array.from({ length: 20 }, () => createTicket(origin())))
  const answers = await Promise.all(
    tickets.map(({ ticket }, i) => request<string>(`${origin(i % 2)}/v1/tickets/${ticket}/qr`)),
  )
  const shown = answers.filter(({ status }) => status === 200).map(({ body }) => body)
  expect(shown.sort()).toEqual(scenes.map((scene) => `the picture of ${scene}`).sort())
  expect(answers.filter(({ status }) => status === 503)).toHaveLength(15)
})

test('two phones that read the same code both learn the ticket, and one gets it', async () => {
  const { ticket, deviceCode, scene, check } = await open()
  const phones = await Promise.all(['li', 'wang'].map((person) => nodes.phone(person)))
  const answers = await Promise.all(
    phones.map(async (phone, i) => {
      const found = await resolve(origin(i), scene, phone, check)
      return scan(origin(i), found.body.ticket, phone)
    }),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
  const owner = phones[answers.findIndex(({ status }) => status === 200)] ?? ''
  expect((await confirm(origin(), ticket, owner)).status).toBe(200)
  expect((await redeem(origin(), deviceCode)).status).toBe(200)
})

// Guessed at once or not. Right numbers and the ticket are untouched.
test('an account has five wrong numbers in ten minutes, counted over all nodes', async () => {
  const { ticket, scene, check } = await open()
  const [guesser, owner] = (await Promise.all(['mallory', 'li'].map((person) => nodes.phone(person)))) as [
    string,
    string,
  ]
  for (let i = 0; i < 7; i++) expect((await resolve(origin(i % 2), scene, owner, check)).status).toBe(200)
  const numbers = Array.from({ length: 90 }, (_, i) => `${10 + i}`).filter((number) => number !== check)
  const answers = await Promise.all(numbers.map((number, i) => resolve(origin(i % 2), scene, guesser, number)))
  const said = (wanted: string) => answers.filter(({ body }) => body.code === wanted)
  expect([said('CHECK_WRONG').length, said('RATE_LIMITED').length]).toEqual([5, numbers.length - 5])
  expect(Number(said('RATE_LIMITED')[0]?.headers.get('retry-after'))).toBeGreaterThan(500)
  expect(await resolve(origin(), scene, guesser, check)).toMatchObject({ status: 429 })
  expect(await resolve(origin(), scene, owner, check)).toMatchObject({ status: 200, body: { ticket } })
  expect((await scan(origin(), ticket, owner)).status).toBe(200)
})

test('a ticket keeps its code and its number, however often its picture is asked for', async () => {
  const { ticket, scene, check } = await open()
  const again = await Promise.all(
    Array.from({ length: 5 }, (_, i) => request<string>(`${origin(i % 2)}/v1/tickets/${ticket}/qr`)),
  )
  expect(again.map(({ body, headers }) => `${body} ${headers.get('x-saoma-check')}`)).toEqual(
    Array(5).fill(`the picture of ${scene} ${check}`),
  )
})

test('an empty pool answers CODE_UNAVAILABLE, and the ticket goes on', async () => {
  const { ticket, device_code } = await createTicket(origin())
  expect(await request(`${origin()}/v1/tickets/${ticket}/qr`)).toMatchObject({
    status: 503,
    body: { code: 'CODE_UNAVAILABLE', react: 'retry' },
  })
  const scene = await nodes.addCode()
  const picture = await request(`${origin()}/v1/tickets/${ticket}/qr`)
  expect([picture.status, picture.body, picture.headers.get('x-saoma-check')]).toEqual([
    200,
    `the picture of ${scene}`,
    null,
  ])
  const phone = await nodes.phone('li')
  expect(await resolve(origin(1), scene, phone)).toMatchObject({ status: 200, body: { ticket } })
  await scan(origin(1), ticket, phone)
  await confirm(origin(1), ticket, phone)
  expect((await redeem(origin(), device_code)).status).toBe(200)
})

test.each([
  ['missing', (path: string) => rm(path)],
  ['another one', (path: string) => writeFile(path, 'a code of somebody else')],
])('a picture that is %s is not shown, and its code is retired for another', async (_, spoil) => {
  const scene = await nodes.addCode()
  await spoil(join(nodes.folder, `${scene}.jpg`))
  const { ticket } = await createTicket(origin())
  expect((await request(`${origin()}/v1/tickets/${ticket}/qr`)).status).toBe(503)
  expect(await nodes.nodes[0]?.nextLine(({ json }) => json?.scene === scene)).toMatchObject({
    json: { level: 'error' },
  })
  const good = await nodes.addCode()
  expect((await request(`${origin()}/v1/tickets/${ticket}/qr`)).body).toBe(`the picture of ${good}`)
  const known: string[] = []
  for await (const code of nodes.pool.list()) known.push(code.scene)
  expect(known).not.toContain(scene)
})

test('a store that cannot be read costs no code', async () => {
  const scene = await nodes.addCode()
  const path = join(nodes.folder, `${scene}.jpg`)
  await rm(path)
  await mkdir(path)
  const { ticket } = await createTicket(origin())
  expect((await request(`${origin()}/v1/tickets/${ticket}/qr`)).status).toBe(503)
  await rm(path, { recursive: true })
  await writeFile(path, `the picture of ${scene}`)
  expect((await request(`${origin()}/v1/tickets/${ticket}/qr`)).body).toBe(`the picture of ${scene}`)
})

describe('a node', () => {
  const lines: { msg: string }[] = []
  const log = createLog({ level: 'info', node: 'x' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const pictureOf = (store: Partial<CodeStore>, metrics = createMetrics()) =>
    createPooledPicture(
      { pool: nodes.pool, store: { ...nodes.store, ...store }, onEmpty: () => {}, metrics, log },
      { leaseMs: 60_000, patienceMs: 50 },
    )
  const wish = { isFirst: true, takesPlace: false }
  const codesLeft = async (): Promise<number> => {
    let codes = 0
    for await (const _ of nodes.pool.list()) codes++
    return codes
  }
  beforeEach(async () => {
    for await (const { scene } of nodes.pool.list()) await nodes.pool.retire([scene])
    lines.length = 0
  })

  // The rest stay good.
  test('a node without the shared folder retires a few codes, then says so and stops', async () => {
    await Promise.all(Array.from({ length: 30 }, () => nodes.addCode()))
    const picture = pictureOf({ get: async () => undefined, remove: async () => {} })
    for (let i = 0; i < 12; i++) expect(await picture(`${i}`, wish)).toBeUndefined()
    expect(await codesLeft()).toBe(20)
    expect(lines.filter(({ msg }) => msg.includes('SAOMA_POOL_STORE'))).toHaveLength(1)
  })

  test('a node that ends no longer says that it fills the pool', async () => {
    const { clients, pool, store, simulator } = nodes
    const { WECHAT_APPID: appid, WECHAT_SECRET: secret, WECHAT_API: api } = simulator.env
    const wechat = createWechat(clients, { appid, secret, api, page: 'pages/login/index' })
    const metrics = createMetrics()
    const refill = startRefill(
      { redis: clients, pool, store, wechat, metrics, log },
      { appid: 'wx-of-its-own', nodeId: 'x', min: 1, max: 1 },
    )
    const leads = async () => (await metrics.poolLeader.get()).values[0]?.value
    await until(leads, (value) => value === 1)
    await refill.close()
    wechat.close()
    expect(await leads()).toBe(0)
  })

  test('a node whose store hangs lets nobody wait, and does not fill the log', async () => {
    await Promise.all(Array.from({ length: 5 }, () => nodes.addCode()))
    const metrics = createMetrics()
    const picture = pictureOf({ get: () => new Promise(() => {}) }, metrics)
    const shown = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((ticket) => picture(ticket, wish)))
    expect(shown).toEqual(Array(5).fill(undefined))
    expect(await codesLeft()).toBe(5)
    expect(lines).toMatchObject([{ level: 'error', msg: 'the store of the pool cannot be read' }])
    const { values } = await metrics.poolLeases.get()
    expect(values).toContainEqual({ labels: { result: 'unreadable' }, value: 5 })
  })
})
