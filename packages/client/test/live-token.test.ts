import { type Cluster, onCleanup, request, startCluster, testApiKey, webToken } from '@saoma/testing'
import { createMemoryStorage } from '../src/core/storage.ts'
import type { TokenSource } from '../src/core/tokens.ts'
import type { LiveEvents } from '../src/live/live.ts'
import { createPublisher } from '../src/server.ts'
import { createSession } from '../src/session/session.ts'
import { startBusiness } from './business.ts'
import { heard } from './heard.ts'
import { listen, openLive, publishNumbers, upTo } from './visitor.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { SAOMA_AUTH_URL: await startBusiness() } })
})

const endsIn = (uid: string, ms: number) => `${uid}:${Date.now() + ms}`
const open = (options: { token: TokenSource; doors?: ('socket' | 'stream' | 'poll')[] }) =>
  openLive({ origin: cluster.origin, transports: ['websocket'], random: () => 0.2, ...options })

test('a token is replaced before it ends, and the connection stays', async () => {
  let renewals = 0
  let enough = () => {}
  // The server asks for a newer one at half the life of each, so that by then the first token has ended.
  const thrice = new Promise<void>((resolve) => {
    enough = resolve
  })
  const { live, states, failures } = open({
    token: ({ renew }) => {
      if (renew && ++renewals === 3) enough()
      return endsIn('ann', 10_000)
    },
  })
  const room = listen(live.channel('room:open-refresh'))
  await room.at('live')
  await thrice
  await publishNumbers(cluster.origin, 'room:open-refresh', 1, 1)
  await room.until(1)
  expect({ states, failures }).toEqual({ states: ['socket'], failures: [] })
})

test.each([['socket'], ['stream'], ['poll']] as const)(
  'a token that has ended anyway is replaced, and by %s nothing is missed',
  async (door) => {
    const channel = `room:open-ended-${door}`
    let ended = false
    let given = endsIn('bob', 1_500)
    const { live, at } = open({
      doors: [door],
      token: ({ renew }) => {
        // Renewing early gives the same one again.
        if (renew && Number(given.split(':')[1]) < Date.now()) {
          ended = true
          given = endsIn('bob', 600_000)
        }
        return given
      },
    })
    const room = listen(live.channel(channel))
    await at(door)
    await room.at('live')
    let last = 0
    while (!ended) await publishNumbers(cluster.origin, channel, ++last, last)
    await publishNumbers(cluster.origin, channel, ++last, last)
    await room.until(last)
    expect(room.numbers).toEqual(upTo(last))
    expect(room.lost).toEqual([])
    expect(live.state).toBe(door)
  },
)

test.each([['socket'], ['stream'], ['poll']] as const)(
  'by %s, tokens that are refused again and again end the connection',
  async (door) => {
    let asked = 0
    const { live } = open({
      doors: [door],
      token: () => {
        asked++
        return endsIn('carl', -1_000)
      },
    })
    const room = listen(live.channel('room:open-refused'))
    const ended = heard<LiveEvents>(live)('ended')
    expect(await ended).toMatchObject({ code: 'TOKEN_EXPIRED', react: 'reauth' })
    expect(asked).toBe(3)
    expect({ live: live.state, room: room.room.state }).toEqual({ live: 'ended', room: 'refused' })
    expect(await live.publish({ channel: 'room:open-refused', event: 'e', data: 1 })).toMatchObject({
      code: 'TOKEN_EXPIRED',
    })
  },
)

test('a source of tokens that fails for a while is asked again', async () => {
  let failures = 3
  const { live, at } = open({
    token: () => (failures-- > 0 ? Promise.reject(new Error('no route')) : endsIn('dora', 600_000)),
  })
  await at('socket')
  expect(live.state).toBe('socket')
})

test.each([['socket'], ['stream']] as const)(
  'by %s, a session ended by a backend ends the connection',
  async (door) => {
    const { live, at } = open({ doors: [door], token: () => endsIn(`eve-${door}`, 600_000) })
    await listen(live.channel('@user')).at('live')
    await at(door)
    const ended = heard<LiveEvents>(live)('ended')
    const publisher = createPublisher({ origin: cluster.origin, apiKey: testApiKey })
    expect(await publisher.end(`eve-${door}`)).toEqual({ ok: true })
    expect(await ended).toMatchObject({ code: 'REVOKED' })
    expect(live.state).toBe('ended')
  },
)

test('a session can be passed directly, and its logout ends the connection', async () => {
  const session = createSession({ origin: cluster.origin, storage: createMemoryStorage() })
  onCleanup(() => session.close())
  const { user, ...tokens } = await webToken(cluster.origin, 'Li Lei')
  session.adopt(tokens)
  const { live, at } = openLive({ origin: cluster.origin, token: session })
  const room = listen(live.channel('@user'))
  await room.at('live')
  await at('socket')
  expect(await request(`${cluster.origin}/v1/channels/user:${user}/presence`, { bearer: testApiKey })).toMatchObject({
    body: { users: [user] },
  })
  const ended = heard<LiveEvents>(live)('ended')
  await session.logout()
  expect(await ended).toMatchObject({ code: expect.stringMatching(/^(UNAUTHORIZED|REVOKED)$/) })
})
