import { fail, ok } from '@saoma/protocol'
import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, startRedis, startRedisCluster } from '@saoma/testing'
import { holdKeys } from '../src/access/held-keys.ts'
import { createKeyStore, type KeyStore, MOST_KEYS } from '../src/access/key-store.ts'
import type { StoredKey } from '../src/access/stored-key.ts'
import { upTo } from './fixtures.ts'
import { deaf, silent } from './key-fixtures.ts'

const DAY_MS = 86_400_000
const NOW = Date.parse('2026-11-30T09:00:00Z')

const keyOf = (name: string, more: Partial<StoredKey> = {}): StoredKey => ({
  ...{
    id: `id-${name}`,
    revision: 1,
    name,
    channels: ['room:*'],
    may: ['publish'],
    scopes: [],
    madeAt: NOW,
    madeBy: '',
  },
  secrets: [{ sha256: '0'.repeat(64) }],
  ...more,
})

describe.each([
  ['standalone', async () => (await startRedis()).url],
  ['cluster', async () => (await startRedisCluster()).url],
])('the store in a %s Redis', (_, start) => {
  const SECRETS: [string, string] = ['the present secret', 'the former secret']
  let redis: RedisClients
  beforeAll(async () => {
    redis = await createRedis({ url: await start(), probeMs: 0 })
    onCleanup(() => redis.close())
  })
  const order = (name: string) => ({ name, channels: ['room:*'], may: [], scopes: [], madeBy: '' })

  test('there are at most 1,000 keys, and room again when one is revoked', async () => {
    const store = createKeyStore(redis, SECRETS)
    const most = upTo(MOST_KEYS + 1).map((i) => ({ entry: keyOf(`key-${i}`), former: '' }))
    const put = await store.put(most)
    expect(put.filter((result) => result === 'OK')).toHaveLength(MOST_KEYS)
    expect(put.at(-1)).toBe('FULL')
    expect(await store.create(order('more'))).toMatchObject({ ok: false, code: 'INVALID' })
    expect(await store.rotate('key-1', 1_000)).toMatchObject({ ok: true })
    expect(await store.remove('key-0')).toMatchObject({ ok: true, value: { id: 'id-key-0' } })
    expect(await store.create(order('more'))).toMatchObject({ ok: true })
    // Its mark keeps out what another node may still hold.
    expect(await store.put([{ entry: keyOf('key-0'), former: '' }])).toEqual(['CHANGED'])
    await redis.data.del(redis.keys.apiKeys())
  })

  test('a key that the former secret sealed is read, and nobody else can seal one', async () => {
    const [present, former] = [createKeyStore(redis, SECRETS), createKeyStore(redis, [SECRETS[1]])]
    const stranger = createKeyStore(redis, ['another secret'])
    await former.create(order('old'))
    await present.create(order('new'))
    await stranger.create(order('forged'))
    const { entries } = await present.read()
    expect([...entries].map(([name, { entry, isOld }]) => [name, entry?.name, isOld]).sort()).toEqual([
      ['forged', undefined, false],
      ['new', 'new', false],
      ['old', 'old', true],
    ])
    // Nor move a record to another name.
    await redis.data.hset(redis.keys.apiKeys(), 'moved', entries.get('new')?.record ?? '')
    expect((await present.read()).entries.get('moved')?.entry).toBeUndefined()
    await redis.data.del(redis.keys.apiKeys())
  })

  test('nodes that have the secrets in different orders seal a key anew once each', async () => {
    const orders: [string, string][] = [SECRETS, [SECRETS[1], SECRETS[0]]]
    let written = 0
    const nodes = orders.map((secrets) => {
      const store = createKeyStore(redis, secrets)
      const counting: KeyStore = {
        ...store,
        put: async (changes) => {
          written += changes.length
          return store.put(changes)
        },
      }
      const held = holdKeys({ store: counting, subscriber: deaf, channel: 'changes', log: silent })
      onCleanup(held.close)
      return held
    })
    await createKeyStore(redis, SECRETS).create(order('turned'))
    for (let i = 0; i < 3; i++) for (const node of nodes) await node.refresh()
    expect(written).toBe(2)
    expect(nodes.map((node) => node.held('turned')?.revision)).toEqual([1, 1])
    await redis.data.del(redis.keys.apiKeys())
  })

  test('a repeated rotation leaves the secret in use good, and three of them at most', async () => {
    const store = createKeyStore(redis, SECRETS)
    await store.create(order('spun'))
    const first = (await store.read()).entries.get('spun')?.entry?.secrets[0]?.sha256
    const rotate = async (overlapMs: number) => {
      const rotated = await store.rotate('spun', overlapMs)
      if (!rotated.ok) throw new Error(rotated.code)
      return rotated.value
    }
    await rotate(DAY_MS)
    const { entry } = await rotate(60_000)
    expect(entry.secrets.map(({ sha256 }) => sha256).indexOf(first ?? '')).toBe(2)
    expect(entry.secrets[2]?.until).toBeGreaterThan(Date.now() + DAY_MS - 60_000)
    await rotate(60_000)
    expect((await rotate(60_000)).entry.secrets).toHaveLength(4)
    expect((await rotate(0)).entry.secrets).toHaveLength(1)

    const rotated = await rotate(0)
    expect(await store.takeBack(rotated)).toBe(true)
    const back = (await store.read()).entries.get('spun')?.entry
    expect([back?.secrets, back?.revision]).toEqual([rotated.before.secrets, rotated.entry.revision + 1])
    expect(await store.takeBack(rotated)).toBe(false)
    await redis.data.del(redis.keys.apiKeys())
  })

  test('names that are none reach neither the version nor the marks', async () => {
    const store = createKeyStore(redis, SECRETS)
    await store.create(order('shop'))
    const gone = await store.remove('shop')
    const id = gone.ok ? (gone.value?.id ?? '') : ''
    const before = await redis.data.hgetall(redis.keys.apiKeys())
    expect(Object.keys(before).sort()).toEqual([`!${id}`, '.'])
    for (const name of ['.', `!${id}`]) {
      expect(await store.remove(name)).toEqual({ ok: true, value: undefined })
      expect(await store.rotate(name, 0)).toMatchObject({ ok: false, code: 'NOT_FOUND' })
      expect(await store.put([{ entry: keyOf(name), former: before[name] ?? '' }])).toEqual(['CHANGED'])
    }
    expect(await redis.data.hgetall(redis.keys.apiKeys())).toEqual(before)
    await redis.data.del(redis.keys.apiKeys())
  })

  test('a revoked key makes and rotates none, also if its node has not heard of it', async () => {
    const store = createKeyStore(redis, SECRETS)
    const caller = { id: 'id-maker', mayChange: () => ok(true as const), held: () => undefined }
    expect(await store.create(order('before'), caller)).toMatchObject({ ok: true })
    await store.mark(new Map([['id-maker', { name: 'maker', until: Date.now() + DAY_MS }]]))
    expect(await store.create(order('after'), caller)).toMatchObject({ ok: false, code: 'REVOKED' })
    expect(await store.rotate('before', 0, caller)).toMatchObject({ ok: false, code: 'REVOKED' })
    expect([...(await store.read()).entries.keys()]).toEqual(['before'])
    await redis.data.del(redis.keys.apiKeys())
  })

  test('a key that Redis has lost, or that cannot be opened, is judged by what the node holds', async () => {
    const store = createKeyStore(redis, SECRETS)
    const shop = keyOf('shop')
    const asked: string[] = []
    const callerOf = (held: StoredKey | undefined, may: boolean) => ({
      id: undefined,
      mayChange: (key: StoredKey) => {
        asked.push(key.id)
        return may ? ok(true as const) : fail('FORBIDDEN')
      },
      held: () => held,
    })
    expect(await store.remove('shop', callerOf(shop, false))).toMatchObject({ ok: false, code: 'FORBIDDEN' })
    expect(await store.remove('shop', callerOf(shop, true))).toEqual({ ok: true, value: { id: 'id-shop' } })
    expect(await store.put([{ entry: shop, former: '' }])).toEqual(['CHANGED'])
    expect(asked).toEqual(['id-shop', 'id-shop'])

    await createKeyStore(redis, ['another secret']).put([{ entry: keyOf('sealed'), former: '' }])
    const refused = { ok: false, code: 'FORBIDDEN', detail: expect.stringContaining('no secret of this node') }
    for (const held of [undefined, keyOf('sealed', { id: 'former' })])
      expect(await store.remove('sealed', callerOf(held, true))).toMatchObject(refused)
    expect(await store.rotate('sealed', 0, callerOf(undefined, true))).toMatchObject(refused)
    expect(asked).toHaveLength(2)
    expect(await store.remove('sealed', callerOf(keyOf('sealed'), false))).toMatchObject({ ok: false })
    expect(await store.remove('sealed')).toMatchObject({ ok: true, value: { id: 'id-sealed' } })
    await redis.data.del(redis.keys.apiKeys())
  })

  test('a record is opened again only if it has changed', async () => {
    const store = createKeyStore(redis, SECRETS)
    await store.create(order('same'))
    await store.create(order('turned'))
    const before = (await store.read()).entries
    await store.rotate('turned', 0)
    const after = (await store.read()).entries
    expect(after.get('same')).toBe(before.get('same'))
    expect(after.get('turned')?.entry?.revision).toBe(2)
    await redis.data.del(redis.keys.apiKeys())
  })

  test('what is over is cleared: keys that expired long ago, and old marks', async () => {
    const store = createKeyStore(redis, SECRETS)
    const now = Date.now()
    await store.put([
      { entry: keyOf('gone', { expiresAt: now - 8 * DAY_MS }), former: '' },
      { entry: keyOf('shown', { expiresAt: now - 6 * DAY_MS }), former: '' },
    ])
    await store.mark(
      new Map([
        ['a', { name: 'x', until: now - 1 }],
        ['b', { name: 'y', until: now + DAY_MS }],
      ]),
    )
    await store.clear(await store.read())
    const { entries, removed } = await store.read()
    expect([[...entries.keys()], [...removed.keys()]]).toEqual([['shown'], ['b']])
    await redis.data.del(redis.keys.apiKeys())
  })

  test('uses are first and last, and bounded', async () => {
    const store = createKeyStore(redis, SECRETS)
    await store.noteUses(new Map([['a', 1_000]]))
    await store.noteUses(new Map([['a', 5_000]]))
    // Another node is late.
    await store.noteUses(new Map([['a', 3_000]]))
    expect((await store.uses()).get('a')).toEqual({ first: 1_000, last: 5_000 })
    await store.noteUses(new Map(upTo(4_010).map((i) => [`use-${i}`, 10_000 + i])))
    const uses = await store.uses()
    expect([uses.size, uses.has('a'), uses.has('use-4009')]).toEqual([4_000, false, true])
    expect(await redis.data.pttl(redis.keys.apiKeyUses())).toBeGreaterThan(399 * DAY_MS)
  })
})
