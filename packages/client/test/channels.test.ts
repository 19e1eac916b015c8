import type { TokenSet } from '@saoma/protocol'
import { type Cluster, onCleanup, request, startCluster, testApiKey, until, webToken } from '@saoma/testing'
import { type ChannelOptions, type Channels, createChannels, createSessionStore } from '../src/components.ts'
import type { Failure } from '../src/core/request.ts'
import { createMemoryStorage } from '../src/core/storage.ts'
import { createSession, type Session } from '../src/session/session.ts'
import { createLocks } from './tabs.ts'
import { publishNumbers, upTo } from './visitor.ts'

/*
 * What components ask of a page's channels. How frameworks use it is tested in packages/react and
 * packages/vue.
 */

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 })
})

const openSession = (tokens?: TokenSet): Session => {
  const { origin } = cluster
  const session = createSession({ origin, storage: createMemoryStorage(), locks: createLocks() })
  onCleanup(() => session.close())
  if (tokens) session.adopt(tokens)
  return session
}

const openChannels = (session: Session, keep?: number): Channels =>
  createChannels({ origin: cluster.origin, session, shared: false, ...(keep === undefined ? {} : { keep }) })

/** A component that shows a channel. It leaves at the end of the test file. */
const mount = (channels: Channels, name: string, options: ChannelOptions = {}) => {
  const heard: unknown[] = []
  const channel = channels.channel(name, () => ({ onMessage: ({ data }) => heard.push(data), ...options }))
  const leave = channel.subscribe(() => {})
  onCleanup(leave)
  const shown = () => channel.read().messages.map(({ data }) => data)
  return {
    channel,
    leave,
    heard,
    shown,
    at: (state: string) =>
      until(
        async () => channel.read().state,
        (now) => now === state,
      ),
    until: (number: number) =>
      until(
        async () => shown(),
        (numbers) => numbers.includes(number),
      ),
  }
}

const connectionsIn = async (channel: string): Promise<number> => {
  const path = `/v1/channels/${encodeURIComponent(channel)}/presence`
  const { body } = await request<{ connections: number }>(`${cluster.origin}${path}`, { bearer: testApiKey })
  return body.connections
}

test('of components that come in one turn the longest history counts, and each hears what comes later', async () => {
  const channel = 'room:open-longest'
  await publishNumbers(cluster.origin, channel, 1, 9)
  const channels = openChannels(openSession(await webToken(cluster.origin, 'Lea')))
  const all = [0, 5, 2].map((history) => mount(channels, channel, { history }))
  await Promise.all(all.map(({ at }) => at('live')))
  await all[0]?.until(9)
  const late = mount(channels, channel, { history: 9 })
  expect(late.shown()).toEqual([5, 6, 7, 8, 9])
  await publishNumbers(cluster.origin, channel, 10, 10)
  await late.until(10)
  expect(late.heard).toEqual([10])
  expect(all.map(({ heard }) => heard)).toEqual(all.map(() => [5, 6, 7, 8, 9, 10]))
})

test('who leaves and comes back in one turn does not interrupt the channel', async () => {
  const channel = 'room:open-turn'
  const channels = openChannels(openSession(await webToken(cluster.origin, 'Tia')))
  const first = mount(channels, channel)
  await first.at('live')
  await publishNumbers(cluster.origin, channel, 1, 1)
  await first.until(1)
  first.leave()
  const second = mount(channels, channel)
  await Promise.resolve()
  expect(second.channel.read().state).toBe('live')
  expect(second.shown()).toEqual([1])
})

test('the last component takes the connection with it, and the next makes another', async () => {
  const channel = 'room:open-last'
  const channels = openChannels(openSession(await webToken(cluster.origin, 'Ulf')))
  const first = mount(channels, channel)
  await first.at('live')
  first.leave()
  await until(
    () => connectionsIn(channel),
    (connections) => connections === 0,
  )
  expect(first.channel.read().state).toBe('idle')
  await mount(channels, channel).at('live')
})

test('a list holds the newest messages', async () => {
  const channel = 'room:open-newest'
  const channels = openChannels(openSession(await webToken(cluster.origin, 'Max')), 3)
  const component = mount(channels, channel)
  await component.at('live')
  await publishNumbers(cluster.origin, channel, 1, 8)
  await component.until(8)
  expect(component.shown()).toEqual([6, 7, 8])
  expect(component.heard).toEqual(upTo(8))
})

test('another person’s tokens empty what was the person’s before, without a logout in between', async () => {
  const [before, after] = [await webToken(cluster.origin, 'Ann'), await webToken(cluster.origin, 'Ben')]
  const session = openSession(before)
  const component = mount(openChannels(session), '@user')
  await component.at('live')
  await publishNumbers(cluster.origin, `user:${before.user}`, 1, 1)
  await component.until(1)
  session.adopt(after)
  expect(component.shown()).toEqual([])
  await component.at('live')
  await publishNumbers(cluster.origin, `user:${after.user}`, 2, 2)
  await component.until(2)
  expect(component.shown()).toEqual([2])
})

test('without a login nothing is followed, and a publication is refused', async () => {
  const session = openSession()
  const channels = openChannels(session)
  const component = mount(channels, 'room:open-waiting')
  expect(await component.channel.publish('number', 1)).toMatchObject({ ok: false, code: 'UNAUTHORIZED' })
  expect(await component.channel.markRead()).toMatchObject({ ok: false, code: 'UNAUTHORIZED' })
  expect(component.channel.read().state).toBe('idle')
  session.adopt(await webToken(cluster.origin, 'Wim'))
  await component.at('live')
  expect(await component.channel.publish('number', 1)).toMatchObject({ ok: true })
  await component.until(1)
})

test('a refused channel says why', async () => {
  const component = mount(openChannels(openSession(await webToken(cluster.origin, 'Ron'))), 'room:nobody')
  await component.at('refused')
  await until(
    async () => component.channel.read().failure,
    (failure) => failure?.code === 'FORBIDDEN',
  )
})

test('a session’s state is the same object until it changes', async () => {
  const session = openSession()
  const store = createSessionStore(session)
  expect(store.blank.status).toBe('unknown')
  const out = store.read()
  expect(out).toEqual({ status: 'out', person: undefined })
  expect(store.read()).toBe(out)
  let changes = 0
  const stop = store.subscribe(() => changes++)
  session.adopt(await webToken(cluster.origin, 'Sam'))
  const state = store.read()
  expect(state).toMatchObject({ status: 'in', person: { name: 'Sam' } })
  expect(store.read()).toBe(state)
  await session.logout()
  expect(store.read().status).toBe('out')
  expect(changes).toBe(2)
  stop()
  session.adopt(await webToken(cluster.origin, 'Sam'))
  expect(changes).toBe(2)
})

test('a connection that ends while the session stands is made again, and continues', async () => {
  const channel = 'room:open-portal'
  const session = openSession(await webToken(cluster.origin, 'Ida'))
  const refused: Failure = { ok: false, code: 'MALFORMED', react: 'stop', message: 'This is the page of a hotel.' }
  let refusals = 2
  const channels = createChannels({
    origin: cluster.origin,
    shared: false,
    session: {
      get tokens() {
        return session.tokens
      },
      on: session.on,
      refresh: session.refresh,
      recheck: session.refresh,
      accessToken: async () => (refusals-- > 0 ? refused : session.accessToken()),
    },
  })
  const component = mount(channels, channel)
  await component.at('refused')
  await component.at('live')
  await publishNumbers(cluster.origin, channel, 1, 1)
  await component.until(1)
})

test('a list of no messages stays empty, and each message is heard', async () => {
  const channel = 'room:open-none'
  const component = mount(openChannels(openSession(await webToken(cluster.origin, 'Nil')), 0), channel)
  await component.at('live')
  await publishNumbers(cluster.origin, channel, 1, 3)
  await until(
    async () => component.heard.length,
    (heard) => heard === 3,
  )
  expect(component.shown()).toEqual([])
})
