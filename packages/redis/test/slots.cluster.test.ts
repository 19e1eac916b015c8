import { once } from 'node:events'
import { inLots, onCleanup, startAwake, startRedisCluster, until } from '@saoma/testing'
import calculateSlot from 'cluster-key-slot'
import { type Away, type Connection, connect, createRedis, shardsOf, whenReady } from '../src/index.ts'
import { HearingSubscriber, next, openSubscriber } from './fixtures/subscriber.ts'

/** What an operator may count on after a move, an addition, a removal. */
const LIVE_MS = 2_000
const cluster = await startRedisCluster()
const [first = 0, second = 0, third = 0] = cluster.ports
const redis = await createRedis({ url: cluster.url, probeMs: 0 })
onCleanup(() => redis.close())

const members = new Map<number, Connection>()
const memberOf = async (port: number): Promise<Connection> => {
  const known = members.get(port)
  if (known) return known
  const member = connect({ url: `redis://127.0.0.1:${port}`, name: 'operator', onError: () => {} })
  onCleanup(() => member.disconnect())
  await whenReady(member, 5_000)
  members.set(port, member)
  return member
}

/** How many channels of a beginning are subscribed to, on all masters together: twice, when two have one. */
const subscribed = async (prefix: string): Promise<number> => {
  const lists = await Promise.all(
    [...(await cluster.masters()).keys()].map(async (port) =>
      (await memberOf(port)).call('PUBSUB', 'SHARDCHANNELS', `${prefix}*`),
    ),
  )
  return lists.flat().length
}

/** How often a command was called on all masters together. */
const calls = async (command: string): Promise<number> => {
  const infos = await Promise.all(
    cluster.ports.map(async (port) => String(await (await memberOf(port)).call('INFO', 'commandstats'))),
  )
  return infos.reduce(
    (sum, info) => sum + Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
    0,
  )
}

/** Names of which each lies in one of these slots. */
const namesIn = (prefix: string, count: number, isWanted: (slot: number) => boolean): string[] => {
  const names: string[] = []
  for (let i = 0; names.length < count; i++) if (isWanted(calculateSlot(`${prefix}${i}`))) names.push(`${prefix}${i}`)
  return names
}

/** Publishes until it is heard; resolves with the milliseconds that took. */
const liveAgain = async (subscriber: Parameters<typeof next>[0], channel: string): Promise<number> => {
  const awake = startAwake()
  let isHeard = false
  const heard = next(subscriber, channel).then(() => {
    isHeard = true
  })
  while (!isHeard) {
    await redis.pub.spublish(channel, 'are you there?').catch(() => {})
    await new Promise(setImmediate)
  }
  await heard
  return awake.stop()
}

test('a channel is heard within two seconds of each of ten moves, by one subscription', async () => {
  const subscriber = await openSubscriber(cluster.url)
  const slot = calculateSlot('moving')
  await subscriber.hold('moving')
  for (let move = 0; move < 10; move++) {
    const to = cluster.ports[(cluster.ports.indexOf(await cluster.ownerOf(slot)) + 1) % 3] ?? 0
    const back = once(subscriber, 'resubscribed') as Promise<[Away]>
    await cluster.moveSlots([slot], to)
    expect(await liveAgain(subscriber, 'moving')).toBeLessThan(LIVE_MS)
    expect([...(await back)[0]]).toEqual([['moving', 'pushed']])
    expect(await subscribed('moving')).toBe(1)
  }
  subscriber.close()
})

test('200 channels keep 200 subscriptions over six moves of a slot, and others are undisturbed', async () => {
  const subscriber = await openSubscriber(cluster.url)
  const [moving = ''] = namesIn('steady-', 1, (slot) => slot < 5_000)
  const names = [moving, ...namesIn('steady-', 200, (slot) => slot !== calculateSlot(moving)).slice(0, 199)]
  await Promise.all(names.map((name) => subscriber.hold(name)))
  const away: string[] = []
  subscriber.on('resubscribed', (channels) => away.push(...channels.keys()))
  const before = await calls('ssubscribe')
  for (let move = 0; move < 6; move++) {
    await cluster.moveSlots([calculateSlot(moving)], [second, third, first][move % 3] ?? 0)
    await liveAgain(subscriber, moving)
    expect(await subscribed('steady-')).toBe(200)
  }
  expect(away).toEqual(Array(6).fill(moving))
  expect((await calls('ssubscribe')) - before).toBeLessThanOrEqual(12)
  subscriber.close()
})

test('a slot that left and returned before any check is heard', async () => {
  const subscriber = await openSubscriber(cluster.url)
  const names = namesIn('boomerang-', 30, (slot) => slot < 5_000)
  const [name = ''] = names
  const slot = calculateSlot(name)
  await cluster.moveSlots([slot], first)
  await Promise.all(names.map((each) => subscriber.hold(each)))
  const away: string[] = []
  subscriber.on('resubscribed', (channels) => away.push(...channels.keys()))
  const [owner, other] = [await memberOf(first), await memberOf(second)]
  const [ownId, otherId] = [String(await owner.call('CLUSTER', 'MYID')), String(await other.call('CLUSTER', 'MYID'))]
  // In one go, so that no question comes between.
  const there = owner.call('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', otherId)
  await Promise.all([there, owner.call('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', ownId)])
  expect(await liveAgain(subscriber, name)).toBeLessThan(LIVE_MS)
  await until(
    async () => away,
    (all) => all.includes(name),
  )
  // The first of the repetition has nothing to be compared with.
  expect(new Set(away).size).toBeLessThanOrEqual(2)
  expect(await subscribed('boomerang-')).toBe(30)
  subscriber.close()
})

test('1,500 channels of moved slots cost one subscription and one report each', async () => {
  const subscriber = await openSubscriber(cluster.url)
  const slots = new Set(Array.from({ length: 300 }, (_, i) => 100 + i))
  await cluster.moveSlots([...slots], first)
  const moving = namesIn('many-', 1_500, (slot) => slots.has(slot))
  const staying = namesIn('stays-', 300, (slot) => !slots.has(slot))
  await inLots([...moving, ...staying], (name) => subscriber.hold(name))
  const away: string[] = []
  subscriber.on('resubscribed', (channels) => away.push(...channels.keys()))
  const before = await calls('ssubscribe')
  await cluster.moveSlots([...slots], second)
  await until(
    async () => away.length,
    (length) => length >= 1_500,
  )
  expect([...away].sort()).toEqual([...moving].sort())
  expect(await subscribed('many-')).toBe(1_500)
  expect(await subscribed('stays-')).toBe(300)
  // Channels of one slot go into one command.
  expect((await calls('ssubscribe')) - before).toBeLessThanOrEqual(400)
  subscriber.close()
})

test('holds and releases during a move of the slot end as intended', async () => {
  const subscriber = await openSubscriber(cluster.url)
  const [tag = ''] = namesIn('tag-', 1, () => true)
  const slot = calculateSlot(tag)
  const names = Array.from({ length: 40 }, (_, i) => `{${tag}}busy-${i}`)
  const held = new Set<string>()
  let isMoving = true
  const churn = (async () => {
    for (let turn = 0; isMoving; turn++) {
      const name = names[turn % names.length] ?? ''
      if (held.delete(name)) subscriber.release(name)
      else {
        held.add(name)
        // Who lets go before it is confirmed may wait in vain.
        subscriber.hold(name).catch(() => {})
      }
      await new Promise(setImmediate)
    }
  })()
  for (let move = 0; move < 9; move++) await cluster.moveSlots([slot], [first, second, third][move % 3] ?? 0)
  isMoving = false
  await churn
  await Promise.all([...held].map((name) => subscriber.confirmed(name)))
  for (const name of held) expect(await liveAgain(subscriber, name)).toBeLessThan(LIVE_MS)
  await until(
    () => subscribed(`{${tag}}busy-`.replace(/[{}]/g, '?')),
    (count) => count === held.size,
  )
  expect(subscriber.size).toBe(held.size)
  subscriber.close()
})

// Nothing comes from two owners.
test('messages published during a move arrive once and in order', async () => {
  const subscriber = await openSubscriber(cluster.url)
  await subscriber.hold('ordered')
  const slot = calculateSlot('ordered')
  const heard: number[] = []
  subscriber.heard.on('message', (channel, payload) => channel === 'ordered' && heard.push(Number(payload)))
  let sent = 0
  let isMoving = true
  const publishing = (async () => {
    while (isMoving) {
      await redis.pub.spublish('ordered', `${++sent}`).catch(() => {})
      await new Promise(setImmediate)
    }
  })()
  for (let move = 0; move < 10; move++) await cluster.moveSlots([slot], [first, second, third][move % 3] ?? 0)
  isMoving = false
  await publishing
  await liveAgain(subscriber, 'ordered')
  const numbers = heard.filter((number) => !Number.isNaN(number))
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
  expect(numbers.length).toBeGreaterThan(0)
  subscriber.close()
})

test('a hold on a slot without an owner waits until it has one', async () => {
  const subscriber = await openSubscriber(cluster.url)
  const slot = calculateSlot('orphan')
  const owner = await cluster.ownerOf(slot)
  const ids = new Map<number, string>()
  for (const port of cluster.ports) ids.set(port, String(await (await memberOf(port)).call('CLUSTER', 'MYID')))
  for (const port of cluster.ports) await (await memberOf(port)).call('CLUSTER', 'DELSLOTS', `${slot}`)
  const hold = subscriber.hold('orphan')
  const released = subscriber.hold('{orphan}released')
  subscriber.release('{orphan}released')
  for (const port of cluster.ports)
    await (await memberOf(port)).call('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', ids.get(owner) ?? '')
  await hold
  expect(await liveAgain(subscriber, 'orphan')).toBeLessThan(LIVE_MS)
  // Redis reads from one connection and from another in any order: it may have had its owner again before it
  // was subscribed to.
  const outcome = await released.catch(({ message }: Error) => message)
  expect([undefined, 'no confirmation of {orphan}released']).toContain(outcome)
  await until(
    () => subscribed('?orphan?'),
    (count) => count === 0,
  )
  subscriber.close()
})

test('channels follow an added master and leave a removed one, as does its connection', async () => {
  const subscriber = await openSubscriber(cluster.url)
  const names = namesIn('guest-', 60, () => true)
  await Promise.all(names.map((name) => subscriber.hold(name)))
  const slots = [...new Set(names.slice(0, 20).map((name) => calculateSlot(name)))]
  const { port } = await cluster.addMaster()
  await cluster.moveSlots(slots, port)
  for (const name of names) expect(await liveAgain(subscriber, name)).toBeLessThan(LIVE_MS)
  expect(await subscribed('guest-')).toBe(60)
  await cluster.removeMaster(port)
  for (const name of names) expect(await liveAgain(subscriber, name)).toBeLessThan(LIVE_MS)
  expect(await subscribed('guest-')).toBe(60)
  subscriber.close()
})

test('a lost push is made good by asking the shard for its subscriptions', async () => {
  const slot = calculateSlot('unheard')
  await cluster.moveSlots([slot], first)
  const subscriber = new HearingSubscriber(
    shardsOf({ url: cluster.url, name: 'test:sub', onError: () => {} }, redis.pub, (connection) => {
      // As if ioredis had taken each push for the answer to a command of ours.
      const { emit } = connection
      Object.assign(connection, {
        emit: (event: string, ...args: unknown[]) => event !== 'moved' && emit.call(connection, event, ...args),
      })
    }),
  )
  onCleanup(() => subscriber.close())
  await subscriber.ready(5_000)
  await subscriber.hold('unheard')
  const back = once(subscriber, 'resubscribed') as Promise<[Away]>
  await cluster.moveSlots([slot], second)
  expect([...(await back)[0]]).toEqual([['unheard', 'probe']])
  expect(await liveAgain(subscriber, 'unheard')).toBeLessThan(LIVE_MS)
  subscriber.close()
})
