import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedis } from '@saoma/redis'
import { type Cluster, createTicket, onCleanup, readCode, request, startCluster, until } from '@saoma/testing'
import { createPool, type Pool } from '@saoma/wechat'
import type { LoginPage } from '../src/logic/login-screen.ts'
import { type PhoneOptions, scanned, show, spoilingToken, startPhone } from './phone.ts'

let cluster: Cluster
let pool: Pool

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-codes-'))
  onCleanup(() => rm(folder, { recursive: true }))
  // A pool of one code, so that a second ticket gets what the first had.
  const env = { SAOMA_CODES: 'pool', SAOMA_POOL_STORE: folder, SAOMA_POOL_MIN: '1', SAOMA_POOL_MAX: '1' }
  cluster = await startCluster({ nodes: 2, simulator: true, env: { SAOMA_DEMO: 'false', ...env } })
  const clients = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(() => clients.close())
  pool = createPool(clients, { appid: cluster.simulator?.env.WECHAT_APPID ?? '', leases: 60, quarantineMs: 1 })
})
afterEach(() => simulator('/faults', undefined, 'DELETE'))

const simulator = async (path: string, json?: object, method = json ? 'POST' : 'GET') =>
  (
    await request<{ js_code: string }>(`${cluster.simulator?.origin}/simulator${path}`, {
      method,
      ...(json && { json }),
    })
  ).body

const ask = () => createTicket(cluster.nodes[0]?.origin ?? '')
const phone = (person: string, options?: PhoneOptions) => startPhone(cluster, person, options)

describe('WeChat identifies the person', () => {
  test('once for the login page and the devices, and again silently before the token ends', async () => {
    const owner = phone('Ana')
    const [first, second] = [await ask(), await ask()]
    const login = owner.login(scanned(first.ticket))
    const devices = show(owner.program.devices)
    await Promise.all([login.reaches('asking'), devices.when(({ screen }) => screen.status === 'listed')])
    expect(owner.logins).toBe(1)

    login.page.open(scanned(second.ticket))
    await login.when(({ screen }) => screen.status === 'asking' && screen.question.ticket === second.ticket)
    expect(owner.logins).toBe(1)

    login.page.open({ launchScene: 1089 })
    owner.device.background(599_000)
    owner.device.foreground()
    login.page.open(scanned(second.ticket))
    await login.reaches('asking')
    expect(owner.logins).toBe(2)
  })

  test('again silently when the server refuses the token', async () => {
    const { ticket } = await ask()
    const owner = phone('Ana', { wrap: spoilingToken('/scan') })
    await owner.login(scanned(ticket)).reaches('asking')
    expect(owner.logins).toBe(2)
  })

  test('with another code when the first was already used', async () => {
    const { ticket } = await ask()
    const codes = ['a code of yesterday', (await simulator('/login', { person: 'Ana' })).js_code]
    const owner = phone('Ana', { loginCode: async () => codes.shift() ?? '' })
    await owner.login(scanned(ticket)).reaches('asking')
    expect(codes).toEqual([])
  })

  test('silently after a short outage of WeChat, and with a button after a long one', async () => {
    const [first, second] = [await ask(), await ask()]
    const fault = { path: '/sns/jscode2session', kind: 'errcode', errcode: -1 }
    await simulator('/faults', { ...fault, times: 1 })
    await phone('Ana').login(scanned(first.ticket)).reaches('asking')

    await simulator('/faults', fault)
    const login = phone('Ben').login(scanned(second.ticket))
    expect(await login.reaches('failed')).toEqual({
      status: 'failed',
      code: 'temporarily_unavailable',
      canRetry: true,
    })
    await simulator('/faults', undefined, 'DELETE')
    login.page.retry()
    expect((await login.reaches('asking')).question.ticket).toBe(second.ticket)
  })
})

describe('a code of the pool', () => {
  const wrongOf = (check: string): string => (check === '99' ? '10' : `${Number(check) + 1}`)
  /** The ticket gets the only code there is, which another ticket had. */
  const leaseAgain = async (ticket: string) => {
    await simulator('/faults', { path: '/wxa/getwxacodeunlimit', kind: 'down' })
    for await (const { scene } of pool.list()) await pool.retire([scene])
    await pool.add(randomBytes(18).toString('base64url'), { key: 'none', type: 'image/jpeg', sha256: 'none' })
    await pool.lease('x'.repeat(22), 1)
    const lease = await until(
      () => pool.lease(ticket, 60_000),
      (found) => found !== undefined,
    )
    return { scene: lease?.scene ?? '', check: lease?.check ?? '' }
  }
  const again = ({ screen }: LoginPage) => screen.status === 'checking' && !screen.busy && screen

  test('that nobody has seen before leads to the question', async () => {
    await until(
      () => pool.stock(),
      ({ fresh }) => fresh === 1,
    )
    const { ticket } = await ask()
    const picture = await fetch(`${cluster.origin}/v1/tickets/${ticket}/qr`)
    const { scene } = readCode(Buffer.from(await picture.arrayBuffer()))
    expect(scene).toHaveLength(24)
    expect((await phone('Ana').login(scanned(scene)).reaches('asking')).question.ticket).toBe(ticket)
  })

  test('that others have seen asks for its number until it is right', async () => {
    const { ticket } = await ask()
    const { scene, check } = await leaseAgain(ticket)
    const login = phone('Ana').login(scanned(scene))
    expect(await login.when(again)).toEqual({ status: 'checking', busy: false })
    for (const wrong of [wrongOf(check), '', '4', '123', 'ab']) {
      login.page.giveCheck(wrong)
      expect(await login.when(again)).toEqual({ status: 'checking', busy: false, error: 'CHECK_WRONG' })
    }
    const wide = [...check].map((digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)).join('')
    login.page.giveCheck(` ${wide}`)
    expect((await login.reaches('asking')).question).toMatchObject({ ticket, warning: undefined })
    login.page.confirm()
    await login.reaches('confirmed')
  })

  test('that belongs to nobody now has expired', async () => {
    const login = phone('Ana').login(scanned('x'.repeat(24)))
    expect(await login.reaches('expired')).toEqual({ status: 'expired' })
  })
})
