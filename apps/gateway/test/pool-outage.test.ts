import { confirm, createTicket, type Gateway, type Line, metricOf, redeem, scan, until } from '@saoma/testing'
import { look, type PoolNodes, readAll, resolve, startPoolNodes } from './pool-nodes.ts'

const CODES = 40
let nodes: PoolNodes
/** The nodes that have not been killed. */
let living: readonly Gateway[]
beforeAll(async () => {
  nodes = await startPoolNodes({
    nodes: 3,
    env: { SAOMA_CODES: 'fresh-then-pool', SAOMA_POOL_MIN: `${CODES}`, SAOMA_POOL_MAX: `${2 * CODES}` },
  })
  living = nodes.nodes
})

const isKind =
  (kind: string) =>
  ({ json }: Line): boolean =>
    json?.event === 'pool' && json.kind === kind
const leadersOf = async (some: readonly Gateway[]): Promise<Gateway[]> => {
  const leading = await Promise.all(some.map((node) => metricOf(node, 'saoma_pool_leader')))
  return some.filter((_, i) => leading[i] === 1)
}

/** A person's login as it goes on the page and on the phone. */
const login = async (person: string) => {
  const [page = '', phoneSide = ''] = [living.at(0)?.origin, living.at(-1)?.origin]
  const began = performance.now()
  const { ticket, device_code } = await createTicket(page)
  const { status, scene = '', check } = await look(page, ticket)
  const ms = performance.now() - began
  if (status !== 200) throw new Error(`no picture: ${status}`)
  const phone = await nodes.phone(person, phoneSide)
  // A phone tells by the length what it has read.
  const found = scene.length === 22 ? scene : (await resolve(phoneSide, scene, phone, check)).body.ticket
  await scan(phoneSide, found, phone)
  await confirm(phoneSide, found, phone)
  const redeemed = await redeem(page, device_code)
  return {
    code: scene === ticket ? ('fresh' as const) : ('pooled' as const),
    status: redeemed.status,
    ticket,
    scene,
    ms,
  }
}

test('one of the nodes that start cold fills the empty pool, and draws no more than that', async () => {
  await until(nodes.codesDrawn, (drawn) => drawn >= CODES)
  await until(
    () => nodes.pool.stock(),
    ({ fresh }) => fresh === CODES,
  )
  expect(await nodes.codesDrawn()).toBe(CODES)
  expect(await leadersOf(nodes.nodes)).toHaveLength(1)
  await readAll(nodes.folder)
})

test('pages get a code of the pool while WeChat is slow, the first after 2.5 seconds', async () => {
  // A WeChat that is well may still be too slow now and then, on a busy machine.
  await until(
    () => login('li'),
    ({ code, status }) => code === 'fresh' && status === 200,
  )
  await nodes.slow(60_000)
  const [first, second] = [await login('li'), await login('wang')]
  await nodes.up()
  expect([first, second]).toMatchObject([
    { code: 'pooled', status: 200 },
    { code: 'pooled', status: 200 },
  ])
  expect(first.ms).toBeGreaterThan(2_000)
})

// When WeChat is back, it draws again.
test('logins go on from the pool when the node that fills it and WeChat are gone', async () => {
  const [leader] = await leadersOf(nodes.nodes)
  living = nodes.nodes.filter((node) => node !== leader)
  await leader?.kill('SIGKILL')

  await nodes.down()
  const first = await login('li')
  expect(first).toMatchObject({ code: 'pooled', status: 200 })
  const others = []
  for (const person of ['wang', 'zhang', 'liu', 'chen', 'yang', 'zhao']) others.push(await login(person))
  expect(others.map(({ code, status }) => `${code} ${status}`)).toEqual(Array(6).fill('pooled 200'))
  expect(new Set(others.map(({ scene }) => scene)).size).toBe(6)

  // WeChat is back: who waits at the page now keeps the code of the pool, and who comes gets one of WeChat.
  const { ticket } = await createTicket(living[0]?.origin ?? '')
  const before = await look(living[0]?.origin ?? '', ticket)
  await nodes.up()
  await until(
    () => login('li'),
    ({ code, status }) => {
      expect(status).toBe(200)
      return code === 'fresh'
    },
  )
  expect(await look(living[1]?.origin ?? '', ticket)).toEqual(before)
})

test('another node fills the pool within the lease of the one that was killed', async () => {
  const leader = await Promise.any(
    living.map(async (node) => {
      await node.nextLine(isKind('leading'), 20_000)
      return node
    }),
  )
  expect((await leader.nextLine(isKind('filled'))).json).toMatchObject({ level: 'info', codes: expect.any(Number) })
  expect(await leadersOf(living)).toEqual([leader])
})
