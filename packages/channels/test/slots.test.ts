import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { ScriptRun } from '@saoma/redis'
import { onCleanup, startRedisCluster } from '@saoma/testing'
import pMap from 'p-map'
import { follow, numbers, openNode, publishNumbers, serversOf, uniquePrefix } from './fixtures.ts'

const FOLLOWED = 400
const MOVED_SLOTS = 2_000
/** All 400 at once pass the three seconds of a command on a busy machine. */
const AT_ONCE = { concurrency: 40 }
const HOUR_MS = 3_600_000

const cluster = await startRedisCluster()
const prefix = uniquePrefix()
const options = { checkMs: HOUR_MS, beatMs: HOUR_MS }
const node = await openNode(cluster.url, prefix, options)
const backend = await openNode(cluster.url, prefix, { ...options, nodeId: 'backend' })

/** How often a channel was looked at or read in this process since it began. */
let scripts = 0
channel('tracing:saoma:script:start').subscribe((run) => {
  if (['channels compare', 'channels read'].includes((run as ScriptRun).script)) scripts++
})

test('[C19] only the channels of moved slots are read again, once each, and lose nothing', async () => {
  const names = Array.from({ length: FOLLOWED }, (_, i) => `room:moved-${i}`)
  const followers = await pMap(names, (name) => follow(node, name), AT_ONCE)
  onCleanup(() => {
    for (const follower of followers) follower.close()
  })
  const [first = 0, second = 0] = cluster.ports
  const slots = ((await cluster.masters()).get(first) ?? []).slice(0, MOVED_SLOTS)
  const slotOf = (name: string) =>
    serversOf(node.redis)[0]?.call('CLUSTER', 'KEYSLOT', node.redis.keys.channelPubsub(name))
  const slotsOfNames = await pMap(names, slotOf, AT_ONCE)
  const moved = names.filter((_, i) => slots.includes(Number(slotsOfNames[i])))
  expect(moved.length).toBeGreaterThan(10)
  await publishNumbers(backend, names[0] ?? '', [1])
  await followers[0]?.count(1)

  const before = scripts
  let back = 0
  node.subscriber.on('resubscribed', (away) => {
    back += away.size
  })
  await cluster.moveSlots(slots, second)
  while (back < moved.length) await once(node.subscriber, 'resubscribed')
  await node.event(({ kind }) => kind === 'resynced')
  expect(back).toBe(moved.length)
  expect(scripts - before).toBeLessThanOrEqual(moved.length)

  await pMap(names, (name) => publishNumbers(backend, name, numbers(2, 2)), AT_ONCE)
  for (const [i, name] of names.entries()) {
    const all = i === 0 ? numbers(3) : numbers(2, 2)
    await followers[i]?.count(all.length)
    expect([name, followers[i]?.data()]).toEqual([name, all])
  }
})
