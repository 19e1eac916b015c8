import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { LOGIN_ONLY } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import { connectLogin, onCleanup, startRedis } from '@saoma/testing'
import { createTickets } from '@saoma/tickets'
import { Server as Engine } from 'engine.io'
import { Server } from 'socket.io'
import WebSocket from 'ws'
import { createLightLoginDoor } from '../src/login/watch/door.ts'
import { createTicketWatches } from '../src/login/watch/ticket-watches.ts'
import { createLog } from '../src/operate/log.ts'
import { createMetrics } from '../src/operate/metrics.ts'
import { now } from '../src/transport/clock.ts'
import { createJudge } from '../src/transport/socket/admission.ts'
import { createEngineDoor } from '../src/transport/socket/engine-door.ts'
import { routeUpgrades } from '../src/transport/socket/upgrades.ts'
import { stallAndEnd } from './stall-and-end.ts'

/** The door of browsers that only wait, in this process: so that the time it goes by can be said. */
const redis = await createRedis({ url: (await startRedis()).url, name: 'test' })
onCleanup(() => redis.close())
const tickets = createTickets(redis)
const metrics = createMetrics()
const log = createLog({ level: 'silent', node: 'a' })
const io = new Server()
io.bind(new Engine())
const engine = createEngineDoor(io)
const http = createServer(engine.before((_, res) => res.end()))
let draining = false
const audit = { refusals: { count: () => {}, of: () => {} } }
const watching = createTicketWatches({ tickets, subscriber: redis.subscriber, pushes: { told: () => {} }, audit, log })
const door = createLightLoginDoor(io, { watching, tickets, metrics }, { nodeId: 'a', maxBufferBytes: 1 << 20 })
const judge = createJudge(
  {
    limits: { handshakes: async () => undefined },
    metrics,
    log,
    audit,
  },
  {
    origins: { allows: () => true, admits: () => true },
    addressOf: () => '127.0.0.1',
    isDraining: () => draining,
  },
)
routeUpgrades(http, [door, engine], { judge, proxies: { note: () => {} }, metrics, log }, { nodeId: 'a' })
http.listen(0, '127.0.0.1')
await once(http, 'listening')
onCleanup(() => {
  watching.close()
  door.close()
  http.close()
  return io.close()
})
const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`

const before = redis.subscriber.size
/** Tickets that somebody follows here. */
const followed = () => redis.subscriber.size - before

/** Bounded in turns of the event loop, each of which lets something arrive. */
const until = async (holds: () => boolean): Promise<void> => {
  for (let turns = 0; turns < 100_000; turns++) {
    if (holds()) return
    await turn()
  }
  throw new Error('it never came to be so')
}

const DEVICE_CODE = 65
let codes = 0
const pending = async () => {
  const deviceCode = `${++codes}`.padEnd(DEVICE_CODE, 'A')
  const request = { app: 'Test', ip: '127.0.0.1', browser: 'Test 1', os: 'Linux', userCode: `CODE-${codes}` }
  const created = await tickets.create({ deviceCode, request, authorization: '' })
  if (!created.ok) throw new Error(created.code)
  return { deviceCode, ticket: created.value.ticket }
}

/** A browser that says no more than the test does. */
const dial = async (query: Record<string, string> = LOGIN_ONLY) => {
  const parameters = new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/socket.io/?${parameters}`)
  onCleanup(() => socket.terminate())
  socket.on('error', () => {})
  const frames: string[] = []
  const waiting: ((frame: string) => void)[] = []
  socket.on('message', (data: Buffer) => {
    const next = waiting.shift()
    if (next) next(data.toString())
    else frames.push(data.toString())
  })
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  const next = async (): Promise<string> => {
    const frame = frames.shift()
    return frame ?? new Promise((resolve) => waiting.push(resolve))
  }
  let node: unknown
  socket.once('upgrade', ({ headers }) => {
    node = headers['x-saoma-node']
  })
  await once(socket, 'open')
  const opening = await Promise.race([next(), closed.then(() => Promise.reject(new Error('closed')))])
  return { socket, node, closed, next, opening, say: (frame: string | Buffer) => socket.send(frame) }
}

const join = async () => {
  const browser = await dial()
  browser.say('40/login,')
  expect(await browser.next()).toMatch(/^40\/login,\{"sid":"[A-Za-z0-9_-]{20}"\}$/)
  const [connection] = door.guests().slice(-1)
  if (!connection) throw new Error('the door does not know it')
  return { ...browser, connection }
}

const reasons = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await metrics.closed.get()).values.map(({ labels, value }) => [labels.reason, value]))

test('the door opens as Engine.IO does, with a session that begins with the node', async () => {
  const { opening, node, socket } = await dial()
  const through = await dial({})
  const { sid, ...rest } = JSON.parse(opening.slice(1))
  const { sid: _, ...expected } = JSON.parse(through.opening.slice(1))
  expect(node).toBe('a')
  expect(opening[0]).toBe('0')
  expect(sid).toMatch(/^a-[A-Za-z0-9_-]{20}$/)
  expect(rest).toEqual(expected)
  socket.close()
})

test.each([
  ['a WebSocket that says so', { only: 'login' }, true],
  ['with other words', { only: 'login', t: 'x' }, true],
  ['with an empty session, which is none', { only: 'login', sid: '' }, true],
  ['another namespace', { only: 'chat' }, false],
  ['nothing', {}, false],
])('the right door takes the handshake: %s', async (_, query, isOurs) => {
  const browser = await dial(query)
  browser.say('40/login,')
  const answer = await browser.next()
  // Socket.IO of this test has no such namespace.
  expect(answer.startsWith('40/login,')).toBe(isOurs)
  expect(answer.startsWith('44/login,')).toBe(!isOurs)
})

test.each([
  ['an older Engine.IO', { only: 'login', EIO: '3' }],
  ['a session', { only: 'login', sid: 'a-nosuchsession' }],
  ['another transport', { only: 'login', transport: 'polling' }],
])('%s is left to Engine.IO, which refuses it', async (_, query) => {
  await expect(dial(query)).rejects.toThrow(/400|socket hang up|closed/)
})

test('a node that is going away answers 503 and says when to ask again', async () => {
  draining = true
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&only=login`)
  const [request, answer] = await once(socket, 'unexpected-response')
  draining = false
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1'])
  request.destroy()
})

test('browsers of this door are told to leave, and are closed as connections', async () => {
  const { connection, next, closed } = await join()
  connection.sendAway(900)
  expect(await next()).toBe('42/login,["drain",{"resumeAfterMs":900}]')
  connection.end()
  expect(await closed).toBe(1005)
})

test('the door asks for a sign of life when one is due, and closes a client without one', async () => {
  const { connection, next, say, closed } = await join()
  const start = now()
  connection.check(start + 24_000)
  connection.check(start + 26_000)
  expect(await next()).toBe('2')
  say('3')
  // An answered event tells that the pong before it was read.
  say('42/login,1["watch",{}]')
  expect(await next()).toContain('43/login,1[{"ok":false,"code":"INVALID"')
  connection.check(start + 47_000)
  expect(await next()).toBe('2')
  connection.check(start + 66_000)
  const timeouts = (await reasons()).ping_timeout ?? 0
  connection.check(start + 68_000)
  await closed
  expect((await reasons()).ping_timeout).toBe(timeouts + 1)
})

test('another packet in place of a pong counts as a sign of life once', async () => {
  const { connection, next, say, closed } = await join()
  const start = now()
  connection.check(start + 26_000)
  expect(await next()).toBe('2')
  for (const id of [1, 2]) {
    say(`42/login,${id}["watch",{}]`)
    await next()
  }
  // Twenty seconds from the packet, which came now.
  connection.check(start + 19_000)
  expect(connection.readyState).toBe(WebSocket.OPEN)
  connection.check(now() + 20_000)
  await closed
})

test('a client that joins no namespace, has left it, or follows nothing is closed', async () => {
  const late = await join()
  late.connection.check(now() + 11_000)
  expect(late.connection.isOpen).toBe(true)
  late.say('41/login,')
  late.say('6')
  const idle = await join()
  idle.connection.dueAt = 0
  // The next look at deadlines finds it, and says that it was the server.
  expect(await idle.next()).toBe('41/login,')
  await idle.closed
  late.connection.check(now() + 29_000)
  expect(late.socket.readyState).toBe(WebSocket.OPEN)
  late.connection.check(now() + 31_000)
  await late.closed
})

test('a ticket is followed from the watch until the connection ends', async () => {
  const { deviceCode, ticket } = await pending()
  const [one, other] = [await join(), await join()]
  for (const browser of [one, other]) {
    browser.say(`42/login,0["watch",${JSON.stringify({ deviceCode })}]`)
    expect(await browser.next()).toContain('"status":"pending"')
  }
  expect(followed()).toBe(1)
  await tickets.scan(ticket, 'alice')
  for (const { next } of [one, other]) expect(await next()).toMatch(/^42\/login,\["ticket",\{.*"scanned".*\}\]$/)
  one.socket.terminate()
  await until(() => !door.guests().includes(one.connection))
  other.say('41/login,')
  other.say('40/login,')
  expect(await other.next()).toMatch(/^40\/login/)
  other.socket.close()
  await other.closed
  const third = await join()
  third.say(`42/login,0["watch",${JSON.stringify({ deviceCode })}]`)
  expect(await third.next()).toContain('"status":"scanned"')
  await tickets.confirm(ticket, 'alice')
  expect(await third.next()).toContain('"confirmed"')
  await tickets.redeem(deviceCode)
  // Over for everybody, and nothing is followed any longer.
  expect(await third.next()).toContain('"redeemed"')
  expect(followed()).toBe(0)
})

test('Socket.IO’s own client logs in and leaves as always', async () => {
  const { deviceCode, ticket } = await pending()
  const browser = connectLogin(origin)
  expect(await browser.watch(deviceCode)).toMatchObject({ ok: true, state: { ticket, status: 'pending' } })
  expect(browser.socket.id).toMatch(/^[A-Za-z0-9_-]{20}$/)
  await tickets.scan(ticket, 'alice')
  expect(await browser.next('ticket')).toEqual({ ticket, status: 'scanned', version: 2, expiresIn: 60 })
  browser.socket.disconnect()
  await until(() => followed() === 0)
})

test('a second watch is refused while the first is being answered', async () => {
  const { deviceCode } = await pending()
  const { connection, socket } = await join()
  const ask = () => new Promise((resolve) => void watching.watch.call(connection, { deviceCode }, resolve))
  expect(await Promise.all([ask(), ask()])).toMatchObject([{ ok: true }, { ok: false, code: 'RATE_LIMITED' }])
  expect(await ask()).toMatchObject({ ok: true })
  socket.close()
})

test('a connection that ends while its watch is being answered leaves nothing behind', async () => {
  const { deviceCode } = await pending()
  await until(() => followed() === 0)
  const { connection } = await join()
  const answer = new Promise((resolve) => void watching.watch.call(connection, { deviceCode }, resolve))
  connection.terminate()
  await answer
  await until(() => !door.guests().includes(connection))
  expect(followed()).toBe(0)
})

test('a closed client that has ended its side and reads nothing keeps no connection', async () => {
  const { socket, connection } = await join()
  await stallAndEnd(socket, connection.tcp)
  connection.end()
  await until(() => connection.tcp.destroyed)
})
