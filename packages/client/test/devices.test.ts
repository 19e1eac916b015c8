import { phoneToken, request, testApiKey, until } from '@saoma/testing'
import { createEmitter } from '../src/core/emitter.ts'
import { createMemoryStorage } from '../src/core/storage.ts'
import { createLive, type LiveEvents, type LiveState } from '../src/live/live.ts'
import type { RoomEvents } from '../src/live/room.ts'
import { createDevices, type Devices, onDevicesChanged } from '../src/session/devices.ts'
import type { Session } from '../src/session/session.ts'
import { monitorSession, type SessionMonitorEvents } from '../src/session/session-monitor.ts'
import { heard } from './heard.ts'
import { createLocks, prepareTabs, refused, said } from './tabs.ts'

const { origin, open, logIn, useRefreshToken } = prepareTabs()

let phone: Devices

beforeAll(async () => {
  const token = await phoneToken(origin(), '韩梅梅')
  phone = createDevices({ origin: `${origin()}/`, token: async () => ({ ok: true, value: token }) })
})

/** A browser that is logged in, and its session’s id. */
const entered = async (options: Parameters<typeof open>[0] = {}): Promise<{ session: Session; sid: string }> => {
  const session = open(options)
  session.adopt(await logIn())
  return { session, sid: session.claims?.sid ?? '' }
}
/** Resolves when the server counts one connection to the person’s own channel. */
const present = ({ claims }: Session) =>
  until(
    async () => {
      const url = `${origin()}/v1/channels/user:${claims?.sub}/presence`
      return (await request<{ connections: number }>(url, { bearer: testApiKey })).body.connections
    },
    (connections) => connections === 1,
  )
const endOf = (session: Session) =>
  new Promise<string>((resolve) => session.on('ended', ({ reason }) => resolve(reason)))

test('a person lists their logins and ends one, the others, and all', async () => {
  await phone.endAll()
  const [{ session, sid }, second, third] = [await entered(), await entered(), await entered()]
  const browser = createDevices({ origin: origin(), token: session.accessToken })
  const listed = await browser.list()
  expect(listed.ok && listed.value.map((entry) => [entry.sid, entry.current])).toEqual([
    [third.sid, false],
    [second.sid, false],
    [sid, true],
  ])
  expect(await browser.end(second.sid)).toEqual({ ok: true, value: undefined })
  expect(await browser.end(second.sid)).toMatchObject({ ok: false, code: 'SESSION_NOT_FOUND', react: 'stop' })
  expect(await browser.endAll({ keepCurrent: true })).toEqual({ ok: true, value: 1 })
  expect(await phone.endAll()).toEqual({ ok: true, value: 1 })
  expect(await browser.list()).toMatchObject({ ok: false, code: 'REVOKED', react: 'reauth' })
  expect(await session.recheck()).toMatchObject({ ok: false })
  expect(await browser.list()).toMatchObject({ ok: false, code: 'UNAUTHORIZED' })
})

test('a recheck ends a session in all tabs if it was ended elsewhere, and only then', async () => {
  const shared = { storage: createMemoryStorage(), locks: createLocks() }
  const { session, sid } = await entered(shared)
  const tab = open(shared)
  const [events, others] = [said(session), said(tab)]
  expect(await session.recheck()).toMatchObject({ ok: true })
  expect(events).toEqual(['changed'])

  await phone.end(sid)
  expect(await session.recheck()).toMatchObject({ ok: false, react: 'renew' })
  expect(events).toEqual(['changed', 'revoked'])
  expect(session.tokens).toBeUndefined()
  expect(await tab.refresh()).toMatchObject({ ok: false, react: 'reauth' })
  expect(others).toEqual(['elsewhere'])
  expect(open(shared).tokens).toBeUndefined()
})

test('a session that a backend ended says so with the backend’s sentence, by every way', async () => {
  const reason = '密码已修改。'
  const { session, sid } = await entered()
  const monitored = await entered()
  const monitor = monitorSession(monitored.session, { origin: origin() })
  await present(monitored.session)
  const heardBy = ({ session: each }: { session: Session }) =>
    new Promise<unknown>((resolve) => each.on('ended', resolve))
  const [asked, told] = [heardBy({ session }), heardBy(monitored)]
  const end = (json: object) => request(`${origin()}/v1/users/${session.claims?.sub}/end`, { bearer: testApiKey, json })
  expect((await end({ keep: sid, reason })).status).toBe(202)
  expect(await told).toEqual({ reason: 'revoked', notice: { code: 'REVOKED', reason } })
  monitor.close()
  expect((await end({ sid, reason })).status).toBe(202)
  expect(await session.refresh()).toMatchObject({
    ok: false,
    code: 'invalid_grant',
    ended: { code: 'REVOKED', reason },
  })
  expect(await asked).toEqual({ reason: 'revoked', notice: { code: 'REVOKED', reason } })
})

test('a recheck ignores the answer to a refresh that began before it', async () => {
  const granted = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  let first = true
  const { session, sid } = await entered({
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (!first) return response
      first = false
      granted.resolve()
      await release.promise
      return response
    },
  })
  const refreshed = session.refresh()
  await granted.promise
  await phone.end(sid)
  const rechecked = session.recheck()
  release.resolve()
  expect(await refreshed).toMatchObject({ ok: true })
  expect(await rechecked).toMatchObject({ ok: false })
  expect(session.tokens).toBeUndefined()
})

test('a recheck without a refresh token ends the session', async () => {
  const session = open()
  const { refresh_token: _, ...tokens } = await logIn()
  session.adopt(tokens)
  const events = said(session)
  expect(await session.recheck()).toMatchObject({ ok: false, react: 'reauth' })
  expect(events).toEqual(['revoked'])
})

test.each([
  ['socket', {}],
  ['stream', { doors: ['stream'] as const }],
])('a monitored session ends by %s when it is ended on the phone', async (_, doors) => {
  const { session, sid } = await entered()
  const tokens = session.tokens
  const monitor = monitorSession(session, { origin: origin(), random: () => 0, ...doors })
  await present(session)
  const ended = endOf(session)
  await phone.end(sid)
  expect(await ended).toBe('revoked')
  expect(session.tokens).toBeUndefined()
  if (tokens) expect(await useRefreshToken(tokens)).toMatchObject(refused)
  monitor.close()
})

test('a monitor follows the session from login to login', async () => {
  const { session } = await entered()
  const monitor = monitorSession(session, { origin: origin(), random: () => 0 })
  await session.logout()
  session.adopt(await logIn())
  // Another tab may put a new login in the place of the old one without a log-out in between.
  session.adopt(await logIn())
  const ended = endOf(session)
  await phone.end(session.claims?.sid ?? '')
  expect(await ended).toBe('revoked')
  monitor.close()
})

test('a page with a live connection hears of the end by it', async () => {
  const { session, sid } = await entered()
  const live = createLive({ origin: origin(), token: session })
  live.on('ended', () => void session.recheck())
  await heard<LiveEvents>(live)('state', (state): state is LiveState => state === 'socket')
  const [ended, liveEnded] = [endOf(session), heard<LiveEvents>(live)('ended')]
  await phone.end(sid)
  expect(await liveEnded).toMatchObject({ code: 'REVOKED' })
  expect(await ended).toBe('revoked')
})

test('a monitor reports when it listens, and reports a login elsewhere by socket and stream', async () => {
  const { session } = await entered()
  const options = { origin: origin(), random: () => 0 }
  const monitors = [monitorSession(session, options), monitorSession(session, { ...options, doors: ['stream'] })]
  const saidSo = () => Promise.all(monitors.map((monitor) => heard<SessionMonitorEvents>(monitor)('devices')))
  await saidSo()
  const saidAgain = saidSo()
  const { sid } = await entered()
  await saidAgain
  const devices = createDevices({ origin: origin(), token: session.accessToken })
  const listed = await devices.list()
  expect(listed.ok && listed.value[0]).toMatchObject({ sid, current: false })
  for (const monitor of monitors) monitor.close()
})

test('a hundred changes cause two calls, other messages none, and stop ends them', async () => {
  const room = createEmitter<RoomEvents<Record<string, unknown>>>()
  const message = { channel: 'user:me', event: 'session', data: { change: 'ended' }, time: 1 }
  let times = 0
  const again = Promise.withResolvers<void>()
  const stop = onDevicesChanged(room, () => {
    if (++times === 2) again.resolve()
  })
  room.emit('volatile', { ...message, event: 'typing' })
  room.emit('state', 'joining')
  expect(times).toBe(0)
  for (let i = 0; i < 100; i++) room.emit('volatile', message)
  expect(times).toBe(1)
  await again.promise
  stop()
  room.emit('volatile', message)
  room.emit('state', 'live')
  expect(times).toBe(2)
})
