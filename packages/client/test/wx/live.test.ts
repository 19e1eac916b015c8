import { type Cluster, createWx, startCluster, testApiKey, until, type WxPhone, webToken } from '@saoma/testing'
import { createPublisher } from '../../src/server.ts'
import { createWxFetch, createWxPage, createWxStorage, createWxTransport } from '../../src/wx/index.ts'
import { listen, openLive, publishNumbers, upTo } from '../visitor.ts'

let cluster: Cluster
let token: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  token = (await webToken(cluster.origin, 'Li Lei')).access_token
})

const open = ({ wx, now }: WxPhone, options = {}) =>
  openLive({
    origin: cluster.origin,
    token: () => token,
    transports: [createWxTransport(wx, { now })],
    fetch: createWxFetch(wx),
    page: createWxPage(wx),
    // It would wait for ever by itself.
    random: () => 1_000,
    ...options,
  })

/** When nobody follows the channel any more, by the server's word. */
const isLeft = async (channel: string) => {
  const publisher = createPublisher({ origin: cluster.origin, apiKey: testApiKey })
  await until(
    () => publisher.presence(channel),
    (answer) => answer.ok && answer.value.connections === 0,
  )
}

test('30 s in the background mid-stream lose and double nothing, and it reconnects at once', async () => {
  const channel = 'room:open-background'
  const phone = createWx()
  const { live, next } = open(phone)
  const room = listen(live.channel(channel))
  await room.at('live')
  await publishNumbers(cluster.origin, channel, 1, 2)
  await room.until(2)
  phone.background()
  await isLeft(channel)
  await publishNumbers(cluster.origin, channel, 3, 5)
  expect(room.numbers).toEqual([1, 2])
  const back = next('socket')
  phone.foreground()
  await back
  await room.until(5)
  expect(room.numbers).toEqual(upTo(5))
  expect(room.lost).toEqual([])
  live.close()
})

test('it reports a missing network and reconnects at once when it returns', async () => {
  const channel = 'room:open-offline'
  const phone = createWx()
  const { live, at } = open(phone)
  const room = listen(live.channel(channel))
  await room.at('live')
  const lost = room.at('joining')
  phone.offline()
  expect(live.state).toBe('offline')
  await lost
  await publishNumbers(cluster.origin, channel, 1, 2)
  phone.online()
  await at('socket')
  await room.until(2)
  expect(room.numbers).toEqual([1, 2])
  live.close()
})

test('a mini-program that was killed and reopened misses nothing', async () => {
  const channel = 'room:open-killed'
  const storage = new Map<string, unknown>()
  const openPhone = () => {
    const phone = createWx({ storage })
    return { phone, ...open(phone, { positions: createWxStorage(phone.wx) }) }
  }
  const before = openPhone()
  const room = listen(before.live.channel(channel))
  await room.at('live')
  await publishNumbers(cluster.origin, channel, 1, 2)
  await room.until(2)
  before.phone.kill()
  await isLeft(channel)
  await publishNumbers(cluster.origin, channel, 3, 4)
  const after = openPhone()
  const again = listen(after.live.channel(channel))
  await again.until(4)
  expect(again.numbers).toEqual([3, 4])
  for (const { live } of [before, after]) live.close()
})

test('where no socket gets through, the long poll works and no stream is tried', async () => {
  const channel = 'room:open-no-socket'
  const phone = createWx()
  const { live, at } = open(phone, { doors: ['stream', 'poll'], random: () => 0 })
  const room = listen(live.channel(channel))
  await at('poll')
  await room.at('live')
  await publishNumbers(cluster.origin, channel, 1, 1)
  await room.until(1)
  expect(phone.requests.filter(({ header }) => JSON.stringify(header).includes('event-stream'))).toEqual([])
  live.close()
})
