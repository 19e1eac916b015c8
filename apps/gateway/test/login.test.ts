import { readFile } from 'node:fs/promises'
import type { TicketState } from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  connectLogin,
  createTicket,
  type LoginClient,
  loginDoors,
  phoneToken,
  poll,
  redeem,
  reject,
  scan,
  startCluster,
} from '@saoma/testing'
import { nodeAt } from './fixtures.ts'

/** The long run is `LOGINS=1000`. */
const LOGINS = Number(process.env.LOGINS ?? 60)
const AT_ONCE = 20
/** Of sixty browsers that poll, each at least one POST and one GET. */
const ROUNDS = LOGINS < 150 ? 4 : 10

let cluster: Cluster
let alice: string
const [a, b] = [0, 1]

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  alice = await phoneToken(cluster.origin, 'alice')
})

/** The public door of one node, past nginx: so that a test knows which node it speaks to. */
const door = (node: number): string => nodeAt(cluster.nodes, node).origin
const nodeOf = ({ headers }: { headers: Headers }) => headers.get('x-saoma-node')

const watching = async (origin: string, deviceCode: string, query = loginDoors[0]?.[1]) => {
  const browser = connectLogin(origin, { query })
  const ack = await browser.watch(deviceCode)
  if (!ack.ok) throw new Error(`watch was refused: ${ack.code}`)
  return { browser, state: ack.state }
}

// They tell nothing personal.
test.each(loginDoors)('scan and confirm on one node reach the browser on the other in order, %s', async (_, query) => {
  const { device_code, ticket } = await createTicket(door(a))
  const { browser, state } = await watching(door(a), device_code, query)
  // What is left of 120 s: a busy machine spends some of it.
  expect(state).toEqual({ ticket, status: 'pending', version: 1, expiresIn: expect.closeTo(120, -2) })

  const scanned = await scan(door(b), ticket, alice)
  expect([scanned.status, nodeOf(scanned)]).toEqual([200, 'b'])
  expect(await browser.next('ticket')).toEqual({ ticket, status: 'scanned', version: 2, expiresIn: 60 })

  const confirmed = await confirm(door(b), ticket, alice)
  expect([confirmed.status, nodeOf(confirmed)]).toEqual([200, 'b'])
  expect(await browser.next('ticket')).toEqual({ ticket, status: 'confirmed', version: 3, expiresIn: 60 })

  const tokens = await redeem(door(b), device_code)
  expect(tokens.status).toBe(200)
  expect(tokens.headers.get('cache-control')).toBe('no-store')
  expect(await browser.next('ticket')).toEqual({ ticket, status: 'redeemed', version: 4, expiresIn: 0 })
  browser.close()
})

interface Met {
  browser: LoginClient
  /** The last that the browser knows of. */
  state: TicketState
}

/** How the browser's watch and the phone's confirm meet, on different nodes. */
const meetings: [when: string, meet: (i: number, deviceCode: string, ticket: string) => Promise<Met>][] = [
  [
    'after the watch',
    async (i, deviceCode, ticket) => {
      const { browser } = await watching(door(i), deviceCode)
      await scan(door(i + 1), ticket, alice)
      await confirm(door(i + 1), ticket, alice)
      let state: TicketState
      do state = await browser.next('ticket')
      while (state.status === 'scanned')
      return { browser, state }
    },
  ],
  [
    'at the very moment of its ack',
    async (i, deviceCode, ticket) => {
      await scan(door(i), ticket, alice)
      const { browser, state: watched } = await watching(door(i), deviceCode)
      const [confirmed, state] = await Promise.all([confirm(door(i + 1), ticket, alice), browser.next('ticket')])
      expect(watched.status).toBe('scanned')
      expect(confirmed.body.state).toEqual(state)
      return { browser, state }
    },
  ],
  [
    'while it is under way',
    async (i, deviceCode, ticket) => {
      await scan(door(i), ticket, alice)
      const confirming = confirm(door(i + 1), ticket, alice)
      const { browser, state } = await watching(door(i), deviceCode)
      await confirming
      return { browser, state: state.status === 'confirmed' ? state : await browser.next('ticket') }
    },
  ],
]

test.each(meetings)(
  `${LOGINS} logins across the nodes, confirmed %s, each get a token of their own`,
  async (_, meet) => {
    const tokens = new Set<string>()
    const login = async (i: number): Promise<void> => {
      const { device_code, ticket } = await createTicket(door(i))
      const { browser, state } = await meet(i, device_code, ticket)
      expect(state.status).toBe('confirmed')
      const { status, body } = await redeem(cluster.origin, device_code)
      expect(status).toBe(200)
      tokens.add(body.access_token)
      browser.close()
    }
    const runs = Array.from({ length: AT_ONCE }, async (_, run) => {
      for (let i = run; i < LOGINS; i += AT_ONCE) await login(i)
    })
    await Promise.all(runs)
    expect(tokens.size).toBe(LOGINS)
  },
  600_000,
)

test('50 parallel redemptions of one device code get one 200', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  await scan(cluster.origin, ticket, alice)
  await confirm(cluster.origin, ticket, alice)
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => redeem(door(i), device_code)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  for (const { status, body } of answers) if (status !== 200) expect(body).toMatchObject({ error: 'invalid_grant' })
  expect(await poll(cluster.origin, device_code)).toMatchObject({
    status: 410,
    body: { code: 'TICKET_EXPIRED', react: 'renew' },
  })
})

test('of 50 phones that scan one ticket nobody is logged in: one owns it, one is late, all others are a crowd', async () => {
  const { ticket } = await createTicket(cluster.origin)
  const phones = await Promise.all(Array.from({ length: 50 }, (_, i) => phoneToken(cluster.origin, `phone ${i}`)))
  const answers = await Promise.all(phones.map((token, i) => scan(door(i), ticket, token)))
  const codes = answers.map(({ body }) => ('code' in body ? body.code : 'owner'))
  expect(codes.filter((code) => code === 'owner')).toHaveLength(1)
  expect(codes.filter((code) => code === 'TICKET_TAKEN')).toHaveLength(1)
  expect(codes.filter((code) => code === 'TICKET_VOID')).toHaveLength(48)
  const owner = phones[codes.indexOf('owner')] ?? ''
  expect((await confirm(door(0), ticket, owner)).body).toMatchObject({ code: 'TICKET_VOID' })
})

test('two confirms get the same answer and make one event', async () => {
  const { device_code, ticket } = await createTicket(door(a))
  const { browser } = await watching(door(a), device_code)
  await scan(door(b), ticket, alice)
  const [first, second] = await Promise.all([confirm(door(a), ticket, alice), confirm(door(b), ticket, alice)])
  expect(first.body).toEqual(second.body)
  await redeem(door(a), device_code)
  const seen: string[] = []
  do seen.push((await browser.next('ticket')).status)
  while (seen.at(-1) !== 'redeemed')
  expect(seen).toEqual(['scanned', 'confirmed', 'redeemed'])
  browser.close()
})

test('a decline reaches the browser and ends the ticket', async () => {
  const { device_code, ticket } = await createTicket(door(a))
  const { browser } = await watching(door(a), device_code)
  await scan(door(b), ticket, alice)
  await reject(door(b), ticket, alice)
  await browser.next('ticket')
  expect(await browser.next('ticket')).toEqual({ ticket, status: 'rejected', version: 3, expiresIn: 0 })
  expect(await confirm(door(a), ticket, alice)).toMatchObject({ status: 409, body: { code: 'TICKET_SETTLED' } })
  expect(await redeem(door(a), device_code)).toMatchObject({ status: 400, body: { error: 'access_denied' } })
  browser.close()
})

test(`nginx sends all ${ROUNDS * 100} requests of polling browsers to the node of their session`, async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  const browsers = Array.from({ length: 60 }, () => connectLogin(cluster.origin, { transports: ['polling'] }))
  const failures: unknown[] = []
  for (const { socket } of browsers) socket.on('connect_error', (error) => failures.push(error))
  for (let round = 0; round < ROUNDS; round++) {
    const acks = await Promise.all(browsers.map((browser) => browser.watch(device_code)))
    for (const ack of acks) expect(ack.ok).toBe(true)
  }
  await scan(cluster.origin, ticket, alice)
  for (const browser of browsers) expect(await browser.next('ticket')).toMatchObject({ status: 'scanned' })
  expect(failures).toEqual([])

  // "Session ID unknown" is a 400.
  const asked = (await readFile(cluster.nginx.accessLog, 'utf8'))
    .split('\n')
    .filter((line) => line.includes('"path":"/socket.io/"'))
  expect(asked.length).toBeGreaterThan(ROUNDS * 100)
  expect(asked.filter((line) => !line.includes('"status":200'))).toEqual([])
  const upstreams = new Set(asked.map((line) => /"upstream":"([^"]+)"/.exec(line)?.[1]))
  expect(upstreams.size).toBe(2)
  for (const browser of browsers) browser.close()
})
