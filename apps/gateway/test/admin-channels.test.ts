import {
  connectLive,
  type Gateway,
  narrowApiKey,
  publish,
  request,
  startGateway,
  startRedis,
  startRedisCluster,
  testAdminKey,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { openOperator, upTo } from './fixtures.ts'

interface Body {
  channels?: { channel: string; epoch?: string; offset: number; messages: number; oldest?: number }[]
  messages?: { offset: number; data: unknown; channel: string }[]
  people?: string[]
  cursor?: string
  code?: string
  detail?: string
  trimmed?: number
  memory?: number
}

const topologies = {
  /** Logins and channels apart. */
  standalone: async () => {
    const [logins, channels] = await Promise.all([startRedis(), startRedis()])
    return { url: logins.url, env: { REDIS_CHANNELS_URL: channels.url }, servers: [channels] }
  },
  cluster: async () => {
    const { url, nodes } = await startRedisCluster()
    return { url, env: {}, servers: nodes }
  },
}

describe.each(Object.keys(topologies) as (keyof typeof topologies)[])(
  'channels for administrators, %s Redis',
  (kind) => {
    let a: Gateway
    let b: Gateway
    let servers: readonly { url: string; kill(signal: NodeJS.Signals): Promise<void> }[]

    beforeAll(async () => {
      const { url, env, ...rest } = await topologies[kind]()
      servers = rest.servers
      const start = (nodeId: string) => startGateway({ redisUrl: url, nodeId, origin: 'http://channels.test', env })
      ;[a, b] = await Promise.all([start('a'), start('b')])
    })

    const ask = (path: string, options: object = {}, { internalOrigin } = b) =>
      request<Body>(`${internalOrigin}/v1/admin/channels${path}`, { bearer: testAdminKey, ...options })
    const fill = async (channel: string, count: number) => {
      for (const data of upTo(count)) expect((await publish(a.origin, { channel, event: 'n', data })).status).toBe(200)
    }

    test('all are listed page by page, while channels come and go and are trimmed', async () => {
      const names = upTo(40).map((i) => `room:open-list-${i}`)
      for (const name of names) await fill(name, 1)
      await fill('room:other', 1)
      const found: string[] = []
      let query = '?prefix=room:open-list-&limit=6'
      for (let page = 0; query !== ''; page++) {
        const { status, body } = await ask(query, {}, page % 2 === 0 ? a : b)
        expect([status, (body.channels?.length ?? 7) <= 6]).toEqual([200, true])
        found.push(...(body.channels ?? []).map(({ channel }) => channel))
        await fill(`room:open-list-new-${page}`, 1)
        await ask(`/${names[page]}/messages?before=9`, { method: 'DELETE' })
        query = body.cursor === undefined ? '' : `?prefix=room:open-list-&limit=6&cursor=${body.cursor}`
      }
      expect(names.filter((name) => !found.includes(name))).toEqual([])
      expect(found.every((name) => name.startsWith('room:open-list-'))).toBe(true)
      const { body } = await ask('?prefix=room:other')
      expect(body.channels).toEqual([
        {
          channel: 'room:other',
          epoch: expect.any(String),
          offset: 1,
          oldest: 1,
          messages: 1,
          connections: 0,
          people: 0,
        },
      ])
    })

    test('one channel, its people, and its history over a trim between two pages', async () => {
      const channel = 'room:open-one'
      expect((await ask(`/${channel}`)).body).toEqual({
        ...{ channel, offset: 0, messages: 0, connections: 0, people: 0, memory: 0 },
      })
      expect((await ask(`/${channel}/messages`)).body).toEqual({ channel, messages: [] })
      await fill(channel, 12)
      const ada = await webToken(a.origin, 'ada')
      for (const { origin } of [a, b]) {
        const client = connectLive(origin, { token: ada.access_token })
        await client.next('connect')
        expect(await client.subscribe({ channel })).toMatchObject({ ok: true })
      }
      const followed = { connections: 2, people: 1 }
      const { body: one } = await ask(`/${channel}`)
      expect(one).toMatchObject({
        channel,
        epoch: expect.any(String),
        offset: 12,
        oldest: 1,
        messages: 12,
        ...followed,
      })
      expect(one.memory).toBeGreaterThan(0)
      const people = { channel, connections: 2, count: 1, people: [ada.user] }
      expect((await ask(`/${channel}/people`)).body).toEqual(people)

      const offsets = ({ messages = [] }: Body) => messages.map(({ offset }) => offset)
      const { body: first } = await ask(`/${channel}/messages?limit=4`)
      expect(offsets(first)).toEqual([1, 2, 3, 4])
      expect(first.messages?.[0]).toMatchObject({ channel, event: 'n', data: 0, time: expect.any(Number) })
      const trim = () => ask(`/${channel}/messages?before=7`, { method: 'DELETE' })
      const left = { channel, epoch: expect.any(String), offset: 12, oldest: 7, messages: 6, ...followed }
      expect((await trim()).body).toEqual({ trimmed: 6, ...left })
      expect((await trim()).body).toEqual({ trimmed: 0, ...left })
      await fill(channel, 2)
      const { body: second } = await ask(`/${channel}/messages?limit=4&cursor=${first.cursor}`, {}, a)
      expect(offsets(second)).toEqual([7, 8, 9, 10])
      const { body: last } = await ask(`/${channel}/messages?limit=4&cursor=${second.cursor}`)
      expect([offsets(last), last.cursor]).toEqual([[11, 12, 13, 14], undefined])
      expect(offsets((await ask(`/${channel}/messages?after=12`)).body)).toEqual([13, 14])
      for (const after of [14, 15, 999]) {
        const { status, body: beyond } = await ask(`/${channel}/messages?after=${after}`)
        expect([after, status, beyond]).toEqual([after, 200, { channel, messages: [] }])
      }

      // It is in the audit with the key: reads of the same channel once, and nothing of a trim that changed
      // nothing.
      const { body } = await until(
        () =>
          request<{ entries: { reason: string; name?: string }[] }>(
            `${a.internalOrigin}/v1/admin/audit?kind=admin.acted&limit=500`,
            { bearer: testAdminKey },
          ),
        ({ body: { entries } }) => entries.filter(({ name }) => name === channel).length >= 3,
      )
      const acts = body.entries.filter(({ name }) => name === channel)
      expect(acts.map(({ reason }) => reason).sort()).toEqual(['channel.people', 'channel.read', 'channel.trim'])
      expect(acts[0]).toMatchObject({ by: 'backend', key: 'admin', ip: '127.0.0.1' })
    })

    test('what is done to a person’s own channel is noted as theirs', async () => {
      const ben = await webToken(a.origin, 'ben')
      await fill(`user:${ben.user}`, 1)
      const trimmed = await ask(`/user:${ben.user}/messages?before=2`, { method: 'DELETE' })
      expect(trimmed.body).toMatchObject({ trimmed: 1 })
      const { body } = await until(
        () =>
          request<{ entries: { kind: string; name?: string }[] }>(
            `${b.internalOrigin}/v1/admin/audit?kind=admin.acted&person=${ben.user}`,
            { bearer: testAdminKey },
          ),
        ({ body: { entries } }) => entries.length > 0,
      )
      expect(body.entries).toMatchObject([{ person: ben.user, reason: 'channel.trim', key: 'admin' }])
      expect(body.entries[0]).not.toHaveProperty('name')
    })

    test('what is wrong is refused by name, and a key needs the scope', async () => {
      const name = '/room:open-one'
      const before = { method: 'DELETE' }
      const cursor = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url')
      const refusals: [string, object, string, string][] = [
        ['?order=name', {}, 'INVALID', 'there is no parameter order'],
        ['?limit=none', {}, 'INVALID', 'limit is a whole number above 0'],
        ['?prefix=room:*', {}, 'INVALID', 'prefix is the beginning of a name'],
        ['?cursor=!', {}, 'INVALID', 'cursor is that of the page before'],
        [`?cursor=${cursor({ held: ['nothing'] })}`, {}, 'INVALID', 'cursor is that of the page before'],
        [`?cursor=${cursor({ held: [], walk: { done: 'x' } })}`, {}, 'INVALID', 'cursor is that of the page before'],
        ...['0-16383,0-16383', '5-4', '0-16384', '7-9,0-3', '0-1,'].map((slots): [string, object, string, string] => [
          `?cursor=${cursor({ held: [], walk: { done: slots } })}`,
          {},
          'INVALID',
          'cursor is that of the page before',
        ]),
        [
          `?cursor=${cursor({ held: [], walk: { done: '', at: { slots: '0-16383', run: 'x', scan: `${2n ** 64n}` } } })}`,
          {},
          'INVALID',
          'cursor is that of the page before',
        ],
        [`?cursor=${'x'.repeat(8_001)}`, {}, 'INVALID', 'cursor is that of the page before'],
        ['/nothing', {}, 'INVALID', 'this is no name of a channel'],
        ['/@user', {}, 'INVALID', 'this is no name of a channel'],
        [`${name}?x=1`, {}, 'INVALID', 'there is no parameter x'],
        [`${name}/messages?cursor=${cursor({ epoch: 'e' })}`, {}, 'INVALID', 'cursor is that of the page before'],
        [`${name}/messages?after=-1`, {}, 'INVALID', 'after is an offset'],
        [
          `${name}/messages?after=1&cursor=${cursor({ epoch: 'e', offset: 1 })}`,
          {},
          'INVALID',
          'after goes only without cursor',
        ],
        [`${name}/people?cursor=x`, {}, 'INVALID', 'there is no parameter cursor'],
        [`${name}/messages`, before, 'INVALID', 'before is needed'],
        [`${name}/messages?before=0`, before, 'INVALID', 'before is an offset'],
        [`${name}/messages?before=1&before=2`, before, 'INVALID', 'before may be there once only'],
        ['', { method: 'POST' }, 'METHOD_NOT_ALLOWED', ''],
        [name, { bearer: testApiKey }, 'SCOPE_MISSING', 'this needs an API key with the scope channels:read'],
        [`${name}/messages?before=1`, { ...before, bearer: narrowApiKey }, 'SCOPE_MISSING', ''],
        [name, { bearer: 'x' }, 'UNAUTHORIZED', ''],
        [`${name}/epochs`, {}, 'NOT_FOUND', ''],
      ]
      for (const [path, how, code, detail] of refusals) {
        const { body } = await ask(path, how)
        expect([path, body.code, detail && body.detail]).toEqual([path, code, detail])
      }
      // Redis takes the greatest cursor that is allowed, in the run for which it was made.
      const { body: begun } = await ask('?limit=1')
      const place = JSON.parse(Buffer.from(begun.cursor ?? '', 'base64url').toString())
      place.walk.at.scan = `${2n ** 64n - 1n}`
      expect((await ask(`?limit=1&cursor=${cursor(place)}`)).status).toBe(200)
      // A cursor that fits the form and leads nowhere is the end.
      expect((await ask(`?cursor=${cursor({ held: ['room:nobody'] })}`)).body).toEqual({ channels: [] })
    })

    test('a full Redis is trimmed, and one that is away is REDIS_UNAVAILABLE', async () => {
      const channel = 'room:open-full'
      await fill(channel, 5)
      const operators = await Promise.all(servers.map(({ url }) => openOperator(url)))
      const limit = (maxmemory: string) =>
        Promise.all(operators.map((operator) => operator.call('CONFIG', 'SET', 'maxmemory', maxmemory)))
      await limit('1')
      expect((await ask(`/${channel}/messages?before=4`, { method: 'DELETE' })).body).toMatchObject({
        trimmed: 3,
        oldest: 4,
      })
      for (const path of ['', `/${channel}`, `/${channel}/messages`, `/${channel}/people`])
        expect([path, (await ask(path)).status]).toEqual([path, 200])
      await limit('0')

      await Promise.all(servers.map((server) => server.kill('SIGSTOP')))
      for (const [path, method] of [
        ['', 'GET'],
        [`/${channel}`, 'GET'],
        [`/${channel}/messages`, 'GET'],
        [`/${channel}/people`, 'GET'],
        [`/${channel}/messages?before=1`, 'DELETE'],
      ] as const) {
        const { status, body } = await ask(path, { method })
        expect([path, method, status, body.code]).toEqual([path, method, 503, 'REDIS_UNAVAILABLE'])
      }
      await Promise.all(servers.map((server) => server.kill('SIGCONT')))
    })
  },
)
