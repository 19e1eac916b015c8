import { once } from 'node:events'
import { connect as dial } from 'node:net'
import {
  type Cluster,
  confirm,
  connectLogin,
  createTicket,
  type LoginClient,
  loginDoors,
  metricOf,
  phoneToken,
  poll,
  redeem,
  request,
  scan,
  startCluster,
  until,
} from '@saoma/testing'
import { nodeAt, nodeNamed, openOperator, untilHeld } from './fixtures.ts'

let cluster: Cluster
let alice: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, appendonly: true })
  alice = await phoneToken(cluster.origin, 'alice')
})

const gateway = (id: string) => nodeNamed(cluster.nodes, id)

/** The node that holds the browser: engine ids begin with it. */
const holderOf = (browser: LoginClient): string => browser.socket.io.engine.id.split('-')[0] ?? ''

const readiness = (id: string) => request(`${gateway(id).internalOrigin}/readyz`)

// The node is killed between scan and confirm.
test('a browser logs in through the other node after kill -9 of its own node', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  const browser = connectLogin(cluster.origin)
  await browser.next('connect')
  await browser.watch(device_code)
  const holder = holderOf(browser)
  const other = gateway(holder === 'a' ? 'b' : 'a')

  await scan(other.origin, ticket, alice)
  expect(await browser.next('ticket')).toMatchObject({ status: 'scanned' })
  await gateway(holder).kill('SIGKILL')
  await browser.next('disconnect')

  expect((await confirm(cluster.origin, ticket, alice)).status).toBe(200)
  await browser.next('connect')
  expect(holderOf(browser)).toBe(other.id)
  expect(await browser.watch(device_code)).toMatchObject({ ok: true, state: { status: 'confirmed', version: 3 } })
  expect((await redeem(cluster.origin, device_code)).status).toBe(200)

  browser.close()
  await gateway(holder).restart()
})

// Redis comes back with its log. Until then the nodes say that they are not ready.
test('nodes survive the death of Redis, and browsers learn what they missed', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  const browsers = loginDoors.map(([, query]) => connectLogin(gateway('a').origin, { query }))
  for (const browser of browsers) await browser.watch(device_code)
  const exits: unknown[] = []
  for (const node of cluster.nodes) void node.exited.then((exit) => exits.push(exit))

  await cluster.redis.kill('SIGKILL')
  const refused = await scan(gateway('b').origin, ticket, alice)
  expect(refused).toMatchObject({ status: 503, body: { code: 'REDIS_UNAVAILABLE', react: 'retry' } })
  expect(refused.headers.get('retry-after')).toBe('2')
  expect(await request(`${gateway('b').internalOrigin}/readyz`)).toMatchObject({ status: 503, body: { ok: false } })
  expect((await request(`${gateway('b').internalOrigin}/healthz`)).status).toBe(200)
  expect(await redeem(gateway('b').origin, device_code)).toMatchObject({
    status: 503,
    body: { error: 'temporarily_unavailable' },
  })
  expect(await connectLogin(gateway('b').origin).watch(device_code)).toMatchObject({
    ok: false,
    code: 'REDIS_UNAVAILABLE',
  })

  const resynced = Promise.all(cluster.nodes.map((node) => node.nextLine(({ json }) => json?.event === 'resync')))
  await cluster.redis.restart()
  await resynced
  for (const id of ['a', 'b'])
    await until(
      () => readiness(id),
      ({ status }) => status === 200,
    )

  expect((await scan(gateway('b').origin, ticket, alice)).status).toBe(200)
  for (const browser of browsers) expect(await browser.next('ticket')).toMatchObject({ status: 'scanned', version: 2 })
  expect(exits).toEqual([])
  for (const browser of browsers) browser.close()
})

test('a browser whose subscription was cut reads from the ticket what it missed', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  const browsers = loginDoors.map(([, query]) => connectLogin(gateway('a').origin, { query }))
  for (const browser of browsers) await browser.watch(device_code)
  const held = poll(gateway('a').origin, device_code, { after: 1, wait: 25 })

  // SIGSTOP stands for a partition: the node cannot hear while its subscription is cut and the ticket moves
  // on.
  await gateway('a').kill('SIGSTOP')
  await request(`${gateway('b').origin}/healthz`)
  const admin = await openOperator(cluster.redis.url)
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await scan(gateway('b').origin, ticket, alice)
  await confirm(gateway('b').origin, ticket, alice)
  admin.disconnect()
  await gateway('a').kill('SIGCONT')

  for (const browser of browsers)
    expect(await browser.next('ticket')).toMatchObject({ status: 'confirmed', version: 3 })
  expect(await held).toMatchObject({ status: 200, body: { status: 'confirmed' } })
  for (const browser of browsers) browser.close()
})

test('clients that leave a stream or a held poll at any moment leave nothing behind', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  const url = `${gateway('a').origin}/v1/tickets/${ticket}?after=1`
  const leave = async (accept: string, afterMs: number) => {
    const headers = { authorization: `Bearer ${device_code}`, accept }
    await fetch(url, { headers, signal: AbortSignal.timeout(afterMs) })
      .then((answer) => answer.text())
      .catch(() => {})
  }
  for (let round = 0; round < 20; round++) {
    const accept = round % 2 ? 'text/event-stream' : 'application/json'
    await Promise.all(Array.from({ length: 20 }, (_, i) => leave(accept, i)))
  }
  await untilHeld(gateway('a'), 0)
  expect(await metricOf(gateway('a'), 'saoma_subscriptions')).toBeLessThan(10)
})

test('SIGTERM answers held polls, tells browsers when to return, and ends the node', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  const browsers = loginDoors.map(([, query]) => connectLogin(gateway('a').origin, { query, reconnection: false }))
  for (const browser of browsers) await browser.watch(device_code)
  const held = poll(gateway('a').origin, device_code, { after: 1, wait: 25 })
  await untilHeld(gateway('a'), 1)

  // A client that does not answer the close frame must not hold up the end.
  const stubborn = dial(gateway('a').port, '127.0.0.1')
  stubborn.on('error', () => {})
  stubborn.write(
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await once(stubborn, 'data')

  const stopped = gateway('a').stop()
  for (const browser of browsers) {
    expect(await browser.next('drain')).toEqual({ resumeAfterMs: expect.any(Number) })
    // Not "io server disconnect", after which a client would not come back by itself.
    expect(await browser.next('disconnect')).toBe('transport close')
  }
  expect(await held).toMatchObject({ status: 200, body: { status: 'pending' } })
  await stopped
  expect(await gateway('a').exited).toEqual({ code: 0, signal: null })

  // The cluster goes on through nginx with the node that is left.
  expect((await scan(cluster.origin, ticket, alice)).status).toBe(200)
  await gateway('a').restart()
})

test('SIGTERM also answers the requests that wait in the queue of the kernel', async () => {
  const node = gateway('a')
  // Stopped, it takes in nobody; its queue does.
  await node.kill('SIGSTOP')
  const waiting = Array.from({ length: 20 }, async () => {
    const socket = dial(node.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('GET /v1/tickets/x HTTP/1.1\r\nHost: x\r\n\r\n')
    return socket
  })
  const answers = (await Promise.all(waiting)).map(async (socket) => {
    const [answer] = await once(socket, 'data')
    socket.destroy()
    return String(answer).split('\r\n', 1)[0]
  })
  const ended = node.kill('SIGTERM')
  await node.kill('SIGCONT')
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['HTTP/1.1 401 Unauthorized']))
  await ended
  expect(await node.exited).toEqual({ code: 0, signal: null })
  await node.restart()
})

test('a second signal ends a node at once, whichever it is', async () => {
  const { nodes } = await startCluster({
    nodes: 2,
    env: { SAOMA_DRAIN_DELAY_MS: '60000', SAOMA_DRAIN_DEADLINE_MS: '69000' },
  })
  const [impatient, other] = [nodeAt(nodes, 0), nodeAt(nodes, 1)]
  const ended = impatient.kill('SIGTERM')
  await impatient.nextLine(({ json }) => json?.event === 'stopping')
  await impatient.kill('SIGINT')
  await ended
  expect(await impatient.exited).toEqual({ code: 1, signal: null })
  await other.kill()
})
