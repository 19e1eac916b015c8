import { type Cluster, onCleanup, publish, webToken } from '@saoma/testing'
import { createMemoryStorage } from '../src/core/storage.ts'
import type { RoomEvents } from '../src/live/room.ts'
import type { Environment } from './environment.ts'
import { heard } from './heard.ts'
import { listen, openLive, publishNumbers, upTo } from './visitor.ts'

type Events = RoomEvents<Record<string, unknown>>

/** Rooms that remember five messages, for the cluster of this contract. */
export const liveRules = [
  { match: 'room:open-*', follow: 'public', publish: 'followers', announce: true },
  { match: 'room:short-*', follow: 'public', publish: 'followers', keep: { messages: 5 } },
]

/** What a page may expect of its rooms, wherever it is open. */
export const liveContract = ({ surroundings }: Environment, at: () => Cluster) => {
  let cluster: Cluster
  let token: string
  let user: string

  beforeAll(async () => {
    cluster = at()
    const tokens = await webToken(cluster.origin, 'Li Lei')
    token = tokens.access_token
    user = tokens.user
  })

  const open = (options = {}) => openLive({ origin: cluster.origin, token: () => token, ...surroundings(), ...options })

  test('a message arrives once and in order, whoever publishes it', async () => {
    const { live } = open()
    const heard = listen(live.channel('room:open-order'))
    await heard.at('live')
    expect(live.state).toBe('socket')
    const answer = await heard.room.publish('number', 1)
    expect(answer).toMatchObject({ ok: true, value: { offset: 1, connections: 1 } })
    await publishNumbers(cluster.origin, 'room:open-order', 2, 20)
    await heard.until(20)
    expect(heard.numbers).toEqual(upTo(20))
    expect(heard.messages[0]).toMatchObject({ channel: 'room:open-order', event: 'number', from: user, offset: 1 })
    expect(heard.room.position).toMatchObject({ offset: 20 })
  })

  test('history comes before new messages, and long history is read to its end', async () => {
    const channel = 'room:open-history'
    await Promise.all(
      upTo(10).map(() =>
        publish(
          cluster.origin,
          upTo(35).map(() => ({ channel, event: 'e', data: 0 })),
        ),
      ),
    )
    const last = await publishNumbers(cluster.origin, channel, 1, 3)
    const newest = listen(open().live.channel(channel, { history: 2 }))
    await newest.at('live')
    expect(newest.numbers).toEqual([2, 3])
    const all = listen(open().live.channel(channel, { since: { epoch: last.epoch, offset: 0 } }))
    await all.until(3)
    expect(all.messages.map(({ offset }) => offset)).toEqual(upTo(353))
    expect(all.lost).toEqual([])
  })

  test('with saved positions a reload misses nothing and repeats nothing', async () => {
    const channel = 'room:open-reload'
    const positions = createMemoryStorage()
    const before = open({ positions })
    const heardBefore = listen(before.live.channel(channel))
    await heardBefore.at('live')
    await publishNumbers(cluster.origin, channel, 1, 3)
    await heardBefore.until(3)
    before.live.close()
    await publishNumbers(cluster.origin, channel, 4, 6)
    const after = listen(open({ positions }).live.channel(channel))
    await after.until(6)
    expect(after.numbers).toEqual([4, 5, 6])
    expect(after.lost).toEqual([])
  })

  test('the next person on a page is not told of the previous person’s losses', async () => {
    const positions = createMemoryStorage()
    const first = listen(open({ positions }).live.channel('@user'))
    await first.at('live')
    await publishNumbers(cluster.origin, `user:${user}`, 1, 1)
    await first.until(1)
    const other = await webToken(cluster.origin, 'Han Meimei')
    const second = listen(open({ positions, token: () => other.access_token }).live.channel('@user'))
    await second.at('live')
    await publishNumbers(cluster.origin, `user:${other.user}`, 7, 7)
    await second.until(7)
    expect({ numbers: second.numbers, lost: second.lost }).toEqual({ numbers: [7], lost: [] })
  })

  test('a loss in the log is reported, and then it goes on', async () => {
    const channel = 'room:short-trimmed'
    const { epoch } = await publishNumbers(cluster.origin, channel, 1, 10)
    const since = { epoch, offset: 2 }
    const heard = listen(open().live.channel(channel, { since, history: 2 }))
    await heard.at('live')
    expect(heard.lost).toEqual([{ reason: 'trimmed', since, position: { epoch, offset: 10 } }])
    await publishNumbers(cluster.origin, channel, 11, 11)
    await heard.until(11)
    expect(heard.numbers).toEqual([9, 10, 11])
  })

  test('a log that began again is reported, and then it goes on', async () => {
    const channel = 'room:open-epoch'
    const since = { epoch: 'before', offset: 7 }
    const { epoch } = await publishNumbers(cluster.origin, channel, 1, 2)
    const heard = listen(open().live.channel(channel, { since }))
    await heard.at('live')
    expect(heard.lost).toEqual([{ reason: 'epoch', since, position: { epoch, offset: 2 } }])
    await publishNumbers(cluster.origin, channel, 3, 3)
    await heard.until(3)
    expect(heard.numbers).toEqual([3])
  })

  test('a listener that throws is reported and stops no other listener', async () => {
    const errors: unknown[] = []
    const { queueMicrotask } = globalThis
    // Where the page would see an uncaught error.
    globalThis.queueMicrotask = (work) =>
      queueMicrotask(() => {
        try {
          work()
        } catch (error) {
          errors.push(error)
        }
      })
    onCleanup(() => {
      globalThis.queueMicrotask = queueMicrotask
    })
    const wrong = new Error('wrong')
    const room = open().live.channel('room:open-throws')
    room.on('message', () => {
      throw wrong
    })
    const heard = listen(room)
    await heard.at('live')
    await publishNumbers(cluster.origin, 'room:open-throws', 1, 2)
    await heard.until(2)
    expect(heard.numbers).toEqual([1, 2])
    expect(errors).toEqual([wrong, wrong])
  })

  test('a forbidden room is refused and others are not', async () => {
    const { live, failures } = open()
    const closed = listen(live.channel('room:nobody'))
    const opened = listen(live.channel('room:open-alone'))
    await Promise.all([closed.at('refused'), opened.at('live')])
    expect(failures).toEqual(['FORBIDDEN'])
    expect(await closed.room.publish('number', 1)).toMatchObject({ ok: false, code: 'FORBIDDEN', react: 'stop' })
    expect(live.state).toBe('socket')
  })

  test('a closed room is silent, even in the middle of a burst, and can be reopened', async () => {
    const channel = 'room:open-close'
    const { epoch } = await publishNumbers(cluster.origin, channel, 1, 5)
    const { live } = open()
    const room = live.channel(channel, { since: { epoch, offset: 0 } })
    const first = listen(room)
    room.on('message', ({ offset }) => {
      if (offset === 2) room.close()
    })
    await first.at('closed')
    const again = live.channel(channel, { since: room.position ?? { epoch, offset: 0 } })
    expect(again).not.toBe(room)
    const second = listen(again)
    await second.at('live')
    await publishNumbers(cluster.origin, channel, 6, 6)
    await second.until(6)
    expect(first.numbers).toEqual([1, 2])
    expect(second.numbers).toEqual([3, 4, 5, 6])
  })

  test('a volatile message arrives and leaves no trace', async () => {
    const { live } = open()
    const lily = await webToken(cluster.origin, 'Lily')
    const other = listen(open({ token: () => lily.access_token }).live.channel('room:open-volatile'))
    const room = live.channel('room:open-volatile')
    const heardIt = heard<Events>(other.room)('volatile')
    await Promise.all([listen(room).at('live'), other.at('live')])
    const answer = await room.publish('typing', { who: 'me' }, { volatile: true })
    expect(answer).toEqual({ ok: true, value: { connections: 2 } })
    expect(await heardIt).toMatchObject({ event: 'typing', data: { who: 'me' }, from: user })
    expect(other.room.position).toMatchObject({ offset: 0 })
  })

  test('presence is known, and announced where the rule says so', async () => {
    const other = await webToken(cluster.origin, 'Lily')
    const { live } = open()
    const room = live.channel('room:open-presence')
    await listen(room).at('live')
    const joined = heard<Events>(room)('presence', (change): change is Events['presence'] => change.user === other.user)
    const { live: otherLive } = open({ token: () => other.access_token })
    await listen(otherLive.channel('room:open-presence')).at('live')
    expect(await joined).toMatchObject({ event: 'join', count: 2 })
    expect(await room.presence()).toMatchObject({ ok: true, value: { count: 2, connections: 2 } })
    const left = heard<Events>(room)('presence', (change): change is Events['presence'] => change.event === 'leave')
    otherLive.close()
    expect(await left).toMatchObject({ user: other.user, count: 1 })
  })

  test('a bell counts new messages, and reading on one device counts on the other', async () => {
    const me = await webToken(cluster.origin, 'Lucy')
    const devices = [open({ token: () => me.access_token }), open({ token: () => me.access_token })]
    const [one, two] = devices.map(({ live }) => listen(live.channel('@user')))
    if (!one || !two) throw new Error('there are two devices')
    await Promise.all([one.at('live'), two.at('live')])
    expect(one.room.inbox).toEqual({ read: 0, unread: 0 })
    await publishNumbers(cluster.origin, `user:${me.user}`, 1, 3)
    await Promise.all([one.until(3), two.until(3)])
    expect([one.room.inbox, two.room.inbox]).toEqual(Array(2).fill({ read: 0, unread: 3 }))
    const toldElsewhere = heard<Events>(two.room)('inbox')
    expect(await one.room.read(2)).toEqual({ ok: true, value: { read: 2, unread: 1 } })
    expect(await toldElsewhere).toEqual({ read: 2, unread: 1 })
    expect(one.room.inbox).toEqual({ read: 2, unread: 1 })
  })
}
