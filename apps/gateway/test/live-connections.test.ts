import { fail, ok, type Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type { Authenticate, Person, Principal } from '../src/access/principal.ts'
import type { Endpoint } from '../src/live/endpoint.ts'
import type { Live } from '../src/live/live.ts'
import type { LiveConnection } from '../src/live/live-connection.ts'
import { createLiveConnections } from '../src/live/live-connections.ts'
import { createLog } from '../src/operate/log.ts'
import { createMetrics } from '../src/operate/metrics.ts'

/** Connections without a door: who is let in, and what is given back. */

const HOUR_MS = 3_600_000
const log = createLog({ level: 'silent', node: 'a' })
const ann = (change: Partial<Person> = {}): Person => ({
  kind: 'person',
  issuer: 'saoma',
  user: 'ann',
  expiresAt: Date.now() + HOUR_MS,
  rooms: [],
  ...change,
})

/** Whether somebody is watched over, and the end of their session. */
interface Watched {
  end: () => void
  isOver: boolean
}

const open = (options: { who?: () => Promise<Result<Principal>>; onWatch?: (watched: Watched) => void } = {}) => {
  const { who = async () => ok(ann()), onWatch = () => {} } = options
  const watched: Watched[] = []
  const metrics = createMetrics()
  const authenticate: Authenticate = () => who()
  const connections = createLiveConnections({
    live: {} as Live,
    limits: { liveEvents: async () => undefined, keyEvents: async () => undefined, subscribes: async () => undefined },
    revocations: {
      watch: async (_, onEnded) => {
        const one: Watched = { end: () => onEnded({ code: 'REVOKED' }), isOver: false }
        watched.push(one)
        onWatch(one)
        return ok({
          close: () => {
            one.isOver = true
          },
        })
      },
      close: () => {},
    },
    authenticate,
    metrics,
    audit: { refusals: { count: () => {} } },
    log,
    maxChannels: 10,
    origin: 'http://node.test',
  })
  const told: string[] = []
  const endpoint = {
    id: 'socket',
    connection: 'connection',
    address: '192.0.2.1',
    door: '/ws',
    isOpen: true,
    messages: () => 0,
    isSlow: () => false,
    signal: () => 0,
    tell: (notice, body) => void told.push(`${notice} ${JSON.stringify(body)}`),
    dismiss: () => void told.push('dismissed'),
  } satisfies Endpoint & { isOpen: boolean }
  const enter = async (): Promise<LiveConnection> => {
    const admitted = await connections.admit(endpoint, { token: 'token' })
    if (!admitted.ok) throw new Error(admitted.code)
    connections.open(admitted.value)
    return admitted.value
  }
  return { connections, watched, told, endpoint, enter, metrics }
}

test('a session that ends during its lookup lets nobody in and leaves nothing behind', async () => {
  const { connections, watched, endpoint } = open({ onWatch: ({ end }) => end() })
  expect(await connections.admit(endpoint, { token: 'token' })).toEqual(fail('REVOKED'))
  expect(watched).toMatchObject([{ isOver: true }])
})

test('an early end of a session is announced as soon as the client can be told', async () => {
  const { connections, watched, told, endpoint } = open()
  const admitted = await connections.admit(endpoint, { token: 'token' })
  if (!admitted.ok) throw new Error(admitted.code)
  watched[0]?.end()
  expect(told).toEqual([])
  connections.open(admitted.value)
  expect(told).toEqual(['ended {"code":"REVOKED"}', 'dismissed'])
})

test.each([
  ['without a token', undefined, 'UNAUTHORIZED'],
  ['with something else for a token', { token: 1 }, 'UNAUTHORIZED'],
])('nobody is let in %s', async (_, token, code) => {
  const { connections, endpoint, metrics } = open()
  expect(await connections.admit(endpoint, { token })).toMatchObject({ ok: false, code })
  const { values } = await metrics.handshakesRejected.get()
  expect(values.filter(({ value }) => value > 0)).toMatchObject([{ labels: { reason: code }, value: 1 }])
})

test.each([
  ['that Redis is away', new RedisUnavailable('away'), 'REDIS_UNAVAILABLE'],
  ['what nobody planned', new Error('a surprise'), 'INTERNAL'],
])('%s becomes an answer, not a rejection', async (_, error, code) => {
  const { connections, endpoint } = open({ who: () => Promise.reject(error) })
  expect(await connections.admit(endpoint, { token: 'token' })).toEqual(fail(code as 'INTERNAL'))
})

test('a person has a hundred connections at most, and a closed one frees its place', async () => {
  const { connections, endpoint, enter, watched } = open()
  const all = await Promise.all(Array.from({ length: 100 }, enter))
  expect(connections.people()).toBe(1)
  expect(await connections.admit(endpoint, { token: 'token' })).toEqual(fail('RATE_LIMITED'))
  expect(watched.at(-1)).toMatchObject({ isOver: true })
  for (const connection of all.slice(0, 1)) {
    connections.close(connection)
    connections.close(connection)
  }
  await enter()
  expect(await connections.admit(endpoint, { token: 'token' })).toEqual(fail('RATE_LIMITED'))
})

test('a newer token replaces the one before, and another person’s token is refused', async () => {
  let next: Principal = ann()
  const { enter, watched } = open({ who: async () => ok(next) })
  const connection = await enter()
  next = ann({ expiresAt: Date.now() + 2 * HOUR_MS })
  expect(await connection.refresh({ token: 'newer' })).toMatchObject({
    ok: true,
    value: { expiresIn: expect.any(Number) },
  })
  expect(connection.who.expiresAt).toBe(next.expiresAt)
  expect(watched).toMatchObject([{ isOver: true }, { isOver: false }])
  next = ann({ user: 'bob' })
  expect(await connection.refresh({ token: 'another' })).toEqual(fail('FORBIDDEN'))
  expect(connection.who).toMatchObject({ user: 'ann' })
})

test('a client that leaves during a refresh is no longer watched', async () => {
  const { connections, enter, watched } = open()
  const connection = await enter()
  const refreshed = connection.refresh({ token: 'newer' })
  connections.close(connection)
  expect(await refreshed).toEqual(fail('UNAUTHORIZED'))
  expect(watched).toMatchObject([{ isOver: true }, { isOver: true }])
})

test('the end of a token is announced once, and then it comes', async () => {
  const expiresAt = Date.now() + HOUR_MS
  const { enter, told } = open({ who: async () => ok(ann({ expiresAt })) })
  const connection = await enter()
  connection.check(expiresAt - 61_000)
  expect(told).toEqual([])
  connection.check(expiresAt - 59_000)
  connection.check(expiresAt - 58_000)
  expect(told).toEqual(['expiring {"expiresIn":59}'])
  connection.check(expiresAt)
  expect(told.slice(1)).toEqual(['ended {"code":"TOKEN_EXPIRED"}', 'dismissed'])
})

test('a closed connection does nothing that is asked of it', async () => {
  const { connections, enter } = open()
  const connection = await enter()
  const spent = connection.spend()
  connections.close(connection)
  expect(await spent).toBe('gone')
  expect(connections.people()).toBe(0)
})
