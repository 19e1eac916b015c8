import { type Cluster, type Gateway, webToken } from '@saoma/testing'
import { holderOf } from './browser.ts'
import type { Environment } from './environment.ts'
import { type Heard, listen, openLive, publishNumbers, publishUntil, upTo, type Visitor } from './visitor.ts'

/** A page that follows a room on a socket, the node that holds it, and the other one. */
export interface Following {
  visitor: Visitor
  room: Heard
  node: Gateway
  survivor: Gateway
}

export const openFollowing = async (
  cluster: Cluster,
  token: string,
  channel: string,
  options: object,
): Promise<Following> => {
  const visitor = openLive({ origin: cluster.origin, token: () => token, transports: ['websocket'], ...options })
  const room = listen(visitor.live.channel(channel))
  await room.at('live')
  const node = await holderOf(cluster)
  const survivor = cluster.nodes.find(({ id }) => id !== node.id)
  if (!survivor) throw new Error('the cluster has one node only')
  return { visitor, room, node, survivor }
}

/** What happens to a page when the node that holds it dies, wherever the page is open. */
export const liveFailureContract = ({ surroundings }: Environment, at: () => Cluster) => {
  let token: string

  beforeAll(async () => {
    token = (await webToken(at().origin, 'Li Lei')).access_token
  })

  const following = (channel: string, options = {}) =>
    openFollowing(at(), token, channel, { ...surroundings(), ...options })

  test('a killed node costs no number mid-stream, and order is kept on the next node', async () => {
    const { visitor, room, node, survivor } = await following('room:open-kill')
    const kill = async () => {
      await room.until(50)
      const lost = visitor.next('reconnecting')
      await node.kill('SIGKILL')
      await lost
      await visitor.at('socket')
      await room.at('live')
    }
    const last = await publishUntil(survivor.origin, room, kill())
    await room.until(last)
    expect(room.numbers).toEqual(upTo(last))
    expect(room.lost).toEqual([])
    visitor.live.close()
    await node.restart()
  })

  test('messages published while nobody is connected arrive afterwards', async () => {
    const { visitor, room, node, survivor } = await following('room:open-away', { random: () => 0.999 })
    const lost = room.at('joining')
    await node.kill('SIGKILL')
    await lost
    await publishNumbers(survivor.origin, 'room:open-away', 1, 20)
    await room.until(20)
    expect(room.numbers).toEqual(upTo(20))
    visitor.live.close()
    await node.restart()
  })

  test('a publish whose answer was lost with its node is sent again and happens once', async () => {
    const { visitor, room, node, survivor } = await following('room:open-once')
    const watching = openLive({
      origin: survivor.origin,
      token: () => token,
      transports: ['websocket'],
      ...surroundings(),
    })
    const seen = listen(watching.live.channel('room:open-once'))
    await seen.at('live')
    // Some of them are done and not answered, others not even received.
    const answers = upTo(100).map((number) => room.room.publish('number', number))
    await node.kill('SIGKILL')
    const results = await Promise.all(answers)
    expect(results.filter(({ ok }) => !ok)).toEqual([])
    const offsets = results.map((result) => result.ok && result.value.offset)
    expect(new Set(offsets)).toEqual(new Set(upTo(100)))
    await seen.untilCount(100)
    expect(seen.numbers).toHaveLength(100)
    expect(new Set(seen.numbers)).toEqual(new Set(upTo(100)))
    visitor.live.close()
    watching.live.close()
    await node.restart()
  })
}
