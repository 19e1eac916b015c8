import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createChannels } from '@saoma/channels'
import { ok } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import { onCleanup, startRedis } from '@saoma/testing'
import type { Person } from '../src/access/principal.ts'
import type { ChannelName } from '../src/live/channel-name.ts'
import { createLive, type Subscription } from '../src/live/live.ts'

/** What a node keeps of those who follow. */

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

const ann: Person = { kind: 'person', issuer: 'saoma', user: 'ann', expiresAt: Date.now() + 3_600_000, rooms: [] }
const listener = { messages: () => {}, signal: () => {} }

test('the page with which a following begins is not kept', async () => {
  const redis = await createRedis({ url: (await startRedis()).url, name: 'test' })
  onCleanup(() => redis.close())
  const channels = createChannels(redis, { nodeId: 'a' })
  onCleanup(() => channels.close())
  const live = createLive(
    {
      channels,
      policy: async () => ok(true),
      allowance: {
        publish: async () => ok(true),
        begin: async () => ok(true),
        follow: async () => ok(() => {}),
        close: () => {},
      },
      hasRoom: () => true,
    },
    { maxDataBytes: 32_768 },
  )
  const followed: Subscription['following'][] = []
  const pages: WeakRef<object>[] = []
  const follow = async (channel: string) => {
    await channels.publish({ channel, event: 'n', data: null, json: 'null' })
    const result = await live.subscribe(ann, channel as ChannelName, { history: 10 }, listener, true)
    if (!result.ok) throw new Error(result.code)
    const { subscribed, following } = result.value
    expect(subscribed.messages).toHaveLength(1)
    following.start()
    followed.push(following)
    pages.push(new WeakRef(subscribed.messages))
  }
  // A room, and a person's own channel, whose page has the inbox.
  for (const channel of ['room:a', 'user:ann']) await follow(channel)
  for (let turns = 0; turns < 100 && pages.some((page) => page.deref()); turns++) {
    // What a WeakRef has shown stays until the end of the turn.
    await turn()
    collect()
  }
  expect(pages.map((page) => page.deref())).toEqual([undefined, undefined])
  for (const { close } of followed) close()
})
