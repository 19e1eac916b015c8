import { type Cluster, startCluster, webToken } from '@saoma/testing'
import { browser } from './environment.ts'
import { liveFailureContract, openFollowing } from './live-failure-contract.ts'
import { startStrictProxy } from './strict-proxy.ts'
import { listen, openLive, publishUntil, upTo } from './visitor.ts'

let cluster: Cluster
let token: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  token = (await webToken(cluster.origin, 'Li Lei')).access_token
})

liveFailureContract(browser, () => cluster)

test('a node that drains mid-stream hands its people over without loss or failure', async () => {
  const { visitor, room, node, survivor } = await openFollowing(cluster, token, 'room:open-drain', {})
  const drain = async () => {
    await room.until(20)
    const lost = visitor.next('reconnecting')
    const stopped = node.stop()
    await lost
    await visitor.at('socket')
    await Promise.all([stopped, room.at('live')])
  }
  const last = await publishUntil(survivor.origin, room, drain())
  await room.until(last)
  expect(room.numbers).toEqual(upTo(last))
  expect(visitor.failures).toEqual([])
  visitor.live.close()
  await node.restart()
})

test('a silent connection is given up, and its requests go another way', async () => {
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  const { live, at } = openLive({ origin: proxy.origin, token: () => token, transports: ['websocket'] })
  const room = listen(live.channel('room:open-frozen'))
  await room.at('live')
  proxy.freeze()
  const lost = room.at('joining')
  expect(await room.room.publish('number', 1)).toMatchObject({ ok: true, value: { offset: 1 } })
  await lost
  await at('socket')
  await room.until(1)
  expect(room.numbers).toEqual([1])
})
