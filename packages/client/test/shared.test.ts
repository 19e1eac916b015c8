import { type Cluster, request, startCluster, until, webToken } from '@saoma/testing'
import type { Live } from '../src/live/live.ts'
import { createPage } from './browser.ts'
import { startStrictProxy } from './strict-proxy.ts'
import { type Heard, listen, openLive, publishNumbers, publishUntil, upTo, type Visitor } from './visitor.ts'

const MOST_CHANNELS = 4

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { SAOMA_LIMIT_CHANNELS: `${MOST_CHANNELS}` } })
})

const tokenOf = async (name: string) => (await webToken(cluster.origin, name)).access_token

/** A tab of a browser in which this token's person is logged in. */
const openTab = (token: string, options = {}) =>
  openLive({
    origin: cluster.origin,
    token: () => token,
    transports: ['websocket'],
    random: () => 0.2,
    shared: true,
    ...options,
  })

/** How many connections the server counts in a room. */
const connectionsIn = async (channel: string, bearer: string): Promise<number> => {
  const path = `/v1/channels/${encodeURIComponent(channel)}/presence`
  return (await request<{ connections: number }>(`${cluster.origin}${path}`, { bearer })).body.connections
}

/** Names of the locks that tabs with a connection hold. */
const leadingLocks = async () => {
  const { held = [] } = await navigator.locks.query()
  return held.map(({ name = '' }) => name).filter((name) => name.startsWith('saoma:live:') && !name.includes(':tab:'))
}

test('nine tabs of a person share one connection, and each gets every message once', async () => {
  const channel = 'room:open-nine'
  const token = await tokenOf('Nine')
  await publishNumbers(cluster.origin, channel, 1, 9)
  const tabs = upTo(9).map((history) => listen(openTab(token).live.channel(channel, { history })))
  await Promise.all(tabs.map((tab) => tab.at('live')))
  expect(await tabs[4]?.room.publish('number', 10)).toMatchObject({ ok: true, value: { offset: 10, connections: 1 } })
  await Promise.all(tabs.map((tab) => tab.until(10)))
  expect(tabs.map(({ numbers }) => numbers)).toEqual(upTo(9).map((history) => upTo(10).slice(-history - 1)))
})

// The tabs that hold the connection go one after the other.
test('nothing is lost or doubled when the tab with the connection closes mid-stream', async () => {
  const channel = 'room:open-heirs'
  const token = await tokenOf('Heirs')
  const tabs: { live: Live; room: Heard }[] = []
  for (const _ of upTo(4)) {
    const { live } = openTab(token)
    const room = listen(live.channel(channel))
    await room.at('live')
    tabs.push({ live, room })
  }
  const last = tabs.pop()
  if (!last) throw new Error('no tabs')
  const leave = async () => {
    for (const { live } of tabs) {
      await last.room.untilCount(last.room.messages.length + 20)
      live.close()
    }
    await last.room.untilCount(last.room.messages.length + 20)
  }
  const number = await publishUntil(cluster.origin, last.room, leave())
  await last.room.until(number)
  expect(last.room.numbers).toEqual(upTo(number))
  expect(last.room.lost).toEqual([])
})

test('a request made while the connection changes hands happens once', async () => {
  const channel = 'room:open-asked'
  const token = await tokenOf('Asked')
  const first = openTab(token)
  await listen(first.live.channel(channel)).at('live')
  const second = openTab(token)
  const room = listen(second.live.channel(channel))
  await room.at('live')
  const answers = upTo(40).map((number) => room.room.publish('number', number))
  // Some are done by then whose answers the tab has not read, or that are on their way.
  await room.untilCount(5)
  first.live.close()
  for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ ok: true })
  await room.untilCount(40)
  expect([...room.numbers].sort((a, b) => Number(a) - Number(b))).toEqual(upTo(40))
})

test('two people, other options and a tab that opts out have their own connections', async () => {
  const channel = 'room:open-apart'
  const [one, other] = [await tokenOf('One'), await tokenOf('Other')]
  const tabs = [openTab(one), openTab(one), openTab(other), openTab(one, { doors: ['socket'] })]
  tabs.push(openTab(one, { shared: false }))
  await Promise.all(tabs.map(({ live }) => listen(live.channel(channel)).at('live')))
  expect(await connectionsIn(channel, other)).toBe(4)
})

test('a channel that no tab follows any more is left', async () => {
  const channel = 'room:open-left'
  const token = await tokenOf('Left')
  const watcher = await tokenOf('Watcher')
  const staying = openTab(token)
  await staying.at('socket')
  const [closing, parting] = [openTab(token), openTab(token)]
  const rooms = [listen(closing.live.channel(channel)), listen(parting.live.channel(channel))]
  await Promise.all(rooms.map((room) => room.at('live')))
  expect(await connectionsIn(channel, watcher)).toBe(1)
  rooms[1]?.room.close()
  closing.live.close()
  await until(
    () => connectionsIn(channel, watcher),
    (connections) => connections === 0,
  )
  expect(staying.live.state).toBe('socket')
})

test('a message that tabs cannot hand to each other is published all the same', async () => {
  const channel = 'room:open-proxied'
  const { live } = openTab(await tokenOf('Proxied'))
  const room = listen(live.channel(channel))
  await room.at('live')
  // As the state of a page's framework is.
  const data = new Proxy({ text: 'hello', at: new Date(0) }, {})
  expect(await room.room.publish('said', data)).toMatchObject({ ok: true })
  await room.untilCount(1)
  expect(room.messages[0]?.data).toEqual({ text: 'hello', at: '1970-01-01T00:00:00.000Z' })
})

test('a page may publish before it knows its user', async () => {
  const channel = 'room:open-early'
  const token = await tokenOf('Early')
  const heard = listen(openTab(token, { shared: false }).live.channel(channel))
  await heard.at('live')
  const { promise, resolve } = Promise.withResolvers<string>()
  const { live } = openTab('', { token: () => promise })
  const answer = live.publish({ channel, event: 'number', data: 1 })
  resolve(token)
  expect(await answer).toMatchObject({ ok: true })
  await heard.until(1)
})

test('a visible tab takes over from a sleeping tab that holds the connection', async () => {
  const token = await tokenOf('Asleep')
  const before = await leadingLocks()
  const awake = openTab(token)
  await awake.at('socket')
  const [lock = ''] = (await leadingLocks()).filter((name) => !before.includes(name))
  awake.live.close()
  // A tab asleep: it holds the lock and says nothing.
  let robbed = () => {}
  const taken = new Promise<void>((resolve) => (robbed = resolve))
  await new Promise<void>((held) => {
    void navigator.locks.request(lock, () => new Promise<void>(() => held())).catch(robbed)
  })
  const hidden = createPage()
  hidden.change(true)
  const behind = openTab(token, { page: hidden })
  const inView = openTab(token)
  await taken
  await inView.at('socket')
  await behind.at('socket')
  const channel = 'room:open-asleep'
  await Promise.all([inView, behind].map(({ live }) => listen(live.channel(channel)).at('live')))
  expect(await connectionsIn(channel, token)).toBe(1)
})

test('a visible tab takes over a connection that a hidden tab cannot restore', async () => {
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  const token = await tokenOf('Unseen')
  const page = createPage()
  let asked = 0
  const leader = openTab(token, {
    origin: proxy.origin,
    page,
    // After the first connection it has no token for another: as slow as timers out of view.
    token: () => (asked++ < 2 ? token : { ok: false, code: 'NETWORK', react: 'retry', message: 'Not now.' }),
  })
  const channel = 'room:open-unseen'
  await listen(leader.live.channel(channel)).at('live')
  page.change(true)
  const { live, at, next } = openTab(token, { origin: proxy.origin })
  const room = listen(live.channel(channel))
  await room.at('live')
  asked = 2
  const down = next('reconnecting')
  proxy.refuseSockets()
  await down
  proxy.allowSockets()
  await at('socket')
  await publishNumbers(cluster.origin, channel, 1, 3)
  await room.until(3)
  expect(room.numbers).toEqual(upTo(3))
})

test('a tab whose channels do not fit into the shared connection opens its own', async () => {
  const token = await tokenOf('Many')
  const tabs = [openTab(token), openTab(token)]
  const rooms = tabs.flatMap(({ live }, tab) =>
    upTo(MOST_CHANNELS).map((n) => listen(live.channel(`room:open-many-${tab}-${n}`))),
  )
  await Promise.all(rooms.map((room) => room.at('live')))
  await Promise.all(rooms.map(({ room }) => publishNumbers(cluster.origin, room.channel, 1, 1)))
  await Promise.all(rooms.map((room) => room.until(1)))
  expect(rooms.map(({ numbers }) => numbers)).toEqual(rooms.map(() => [1]))
})

// It is followed once.
test('a tab that holds the connection and no longer fits hands it over', async () => {
  const token = await tokenOf('Full')
  const leader = openTab(token)
  await leader.at('socket')
  const guest = openTab(token)
  const open = ({ live }: Visitor, name: string) => listen(live.channel(`room:open-full-${name}`))
  const rooms = [open(leader, 'a'), open(leader, 'b'), open(guest, 'c'), open(guest, 'd')]
  await Promise.all(rooms.map((room) => room.at('live')))
  const [first] = rooms
  const more = open(leader, 'e')
  await more.at('live')
  await Promise.all(rooms.map((room) => room.at('live')))
  await until(
    () => connectionsIn('room:open-full-a', token),
    (connections) => connections === 1,
  )
  first?.room.close()
  await until(
    () => connectionsIn('room:open-full-a', token),
    (connections) => connections === 0,
  )
  for (const room of [...rooms.slice(1), more]) {
    await publishNumbers(cluster.origin, room.room.channel, 1, 1)
    await room.until(1)
    expect(room.numbers).toEqual([1])
  }
})

test('a renewed token of another person gets that person’s connection', async () => {
  const channel = 'room:open-changed'
  const [before, after] = [await tokenOf('Before'), await tokenOf('After')]
  let token = before
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  const tabs = upTo(2).map(() => openTab('', { origin: proxy.origin, token: () => token }))
  const rooms = tabs.map(({ live }) => listen(live.channel(channel)))
  await Promise.all(rooms.map((room) => room.at('live')))
  token = after
  const lost = Promise.all(rooms.map((room) => room.at('joining')))
  proxy.cut()
  await lost
  await Promise.all(rooms.map((room) => room.at('live')))
  const present = await request(`${cluster.origin}/v1/channels/${channel}/presence`, { bearer: after })
  const { user } = await webToken(cluster.origin, 'After')
  expect(present.body).toMatchObject({ users: [user], connections: 1 })
})

test('a token that cannot be read is not shared', async () => {
  const { live, failures } = openTab('not-a-token')
  const ended = new Promise((resolve) => live.on('ended', resolve))
  expect(await ended).toMatchObject({ react: 'reauth' })
  expect(failures.length).toBeGreaterThan(0)
})

test('tokens that change with each reading are not shared and cause no restarts', async () => {
  const claims = (n: number) => `e30.${btoa(JSON.stringify({ sub: 'x', n }))}.x`
  let asked = 0
  const { failures, live } = openTab('', { token: () => claims(++asked) })
  await new Promise((resolve) => live.on('ended', resolve))
  expect(failures.length).toBeGreaterThan(0)
  expect(asked).toBeLessThan(10)
})
