import { createHash } from 'node:crypto'
import { RedisUnavailable, type Subscriber } from '@saoma/redis'
import { onCleanup } from '@saoma/testing'
import { type HeldKeys, holdKeys } from '../src/access/held-keys.ts'
import type { KeyStore } from '../src/access/key-store.ts'
import { type Known, mergeEntries } from '../src/access/merge-entries.ts'
import type { Backend } from '../src/access/principal.ts'
import { createSecretRing } from '../src/access/secret-ring.ts'
import type { StoredKey } from '../src/access/stored-key.ts'
import type { Contents } from '../src/access/table-store.ts'
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
const knownOf = (...keys: StoredKey[]): Known<StoredKey> => ({
  entries: new Map(keys.map((key) => [key.name, key])),
  removed: new Map(),
})
const contentsOf = (keys: StoredKey[], removed: Contents<StoredKey>['removed'] = new Map()): Contents<StoredKey> => ({
  version: 'v',
  entries: new Map(
    keys.map((key) => [key.name, { record: `record of ${key.id}`, id: key.id, entry: key, isOld: false }]),
  ),
  removed,
})
const namesOf = ({ entries }: Known<StoredKey>) => [...entries.keys()]

describe('what a node knows and what Redis has', () => {
  const mark = { name: 'shop', until: NOW + 20 * DAY_MS }

  test('a key that Redis lacks without a mark is kept, and put back', () => {
    const merged = mergeEntries(knownOf(keyOf('shop')), contentsOf([]), NOW, true)
    expect([namesOf(merged), merged.lost]).toEqual([['shop'], [{ entry: keyOf('shop'), former: '' }]])
  })

  test('one with a mark is dropped, whether Redis or the node has the mark', () => {
    const [known, stored] = [knownOf(keyOf('shop')), contentsOf([], new Map([['id-shop', mark]]))]
    expect(mergeEntries(known, stored, NOW, true)).toMatchObject({ entries: new Map(), lost: [], unmarked: new Map() })
    const told = { entries: new Map(), removed: new Map([['id-shop', mark]]) }
    const merged = mergeEntries(told, contentsOf([keyOf('shop')]), NOW, true)
    expect([namesOf(merged), [...merged.unmarked]]).toEqual([[], [['id-shop', mark]]])
  })

  test('marks end, and a node that has not read for long puts nothing back', () => {
    const over = { entries: new Map(), removed: new Map([['id-shop', { name: 'shop', until: NOW }]]) }
    expect(mergeEntries(over, contentsOf([]), NOW, true)).toMatchObject({ removed: new Map(), unmarked: new Map() })
    expect(mergeEntries(knownOf(keyOf('shop')), contentsOf([]), NOW, false)).toMatchObject({
      entries: new Map(),
      lost: [],
    })
  })

  test('of two states the later one stays, and is put back', () => {
    const [old, later] = [keyOf('shop'), keyOf('shop', { revision: 2, rotatedAt: NOW })]
    expect(mergeEntries(knownOf(old), contentsOf([later]), NOW, true)).toMatchObject({
      entries: new Map([['shop', later]]),
      lost: [],
    })
    expect(mergeEntries(knownOf(later), contentsOf([old]), NOW, true)).toMatchObject({
      entries: new Map([['shop', later]]),
      lost: [{ entry: later, former: 'record of id-shop' }],
    })
  })

  test('another key that got the name of a lost one wins, and the lost one never comes back', () => {
    const other = keyOf('shop', { id: 'other' })
    const merged = mergeEntries(knownOf(keyOf('shop')), contentsOf([other]), NOW, true)
    expect([merged.entries.get('shop')?.id, [...merged.unmarked.keys()]]).toEqual(['other', ['id-shop']])
    expect(namesOf(mergeEntries(merged, contentsOf([keyOf('shop')]), NOW, true))).toEqual([])
  })

  test('a key that expired long ago is not put back', () => {
    const expired = keyOf('shop', { expiresAt: NOW - 8 * DAY_MS })
    expect(mergeEntries(knownOf(expired), contentsOf([]), NOW, true)).toMatchObject({ entries: new Map(), lost: [] })
  })

  test('a record that cannot be read leaves what is known of it', () => {
    const sealed = { record: 'x', id: 'id-shop', entry: undefined, isOld: false }
    const contents = { ...contentsOf([]), entries: new Map([['shop', sealed]]) }
    expect(namesOf(mergeEntries(knownOf(keyOf('shop')), contents, NOW, true))).toEqual(['shop'])
    expect(mergeEntries(knownOf(), contents, NOW, true)).toMatchObject({ entries: new Map(), unreadable: ['shop'] })
  })
})

test('connections of a key stay when nothing of it changed, and a change of its rights ends them', () => {
  const ring = createSecretRing()
  const sha256 = '8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a' // of "k"
  const key = keyOf('shop', { secrets: [{ sha256 }] })
  let changes = 0
  ring.onChange(() => changes++)
  ring.replace([key])
  expect([changes, ring.find('saoma_shop_k')]).toEqual([1, undefined])
  ring.replace([{ ...key, madeBy: 'somebody' }])
  expect(changes).toBe(1)
  ring.replace([{ ...key, scopes: ['audit:read'] }])
  expect(changes).toBe(2)
  ring.close()
})

test('a ring tells a secret that was replaced from the one that has replaced it', () => {
  const ring = createSecretRing()
  const secrets = ['n', 'f'].map((letter) => `saoma_shop_${letter.repeat(43)}`)
  const [{ sha256: newest }, { sha256: former }] = secrets.map((secret) => ({
    sha256: createHash('sha256').update(secret).digest('hex'),
  })) as [{ sha256: string }, { sha256: string }]
  ring.replace([keyOf('shop', { secrets: [{ sha256: former }] })])
  const who = ring.find(secrets[1] ?? '')
  expect(who && ring.isFormer(who)).toBe(false)
  ring.replace([keyOf('shop', { secrets: [{ sha256: newest }, { sha256: former, until: Date.now() + DAY_MS }] })])
  // Its connections stay.
  expect(ring.find(secrets[1] ?? '')).toBe(who)
  expect(secrets.map((secret) => ring.isFormer(ring.find(secret) as Backend))).toEqual([false, true])
  ring.close()
})

/** Hears of no change. */

test('many changes cost few reads', async () => {
  let reads = 0
  const store = {
    read: async () => {
      reads++
      return contentsOf([])
    },
    clear: async () => {},
  } as Partial<KeyStore> as KeyStore
  const held = holdKeys({ store, subscriber: deaf, channel: 'changes', log: silent })
  onCleanup(held.close)
  const began = performance.now()
  for (let i = 0; i < 4; i++) await held.refresh()
  expect(performance.now() - began).toBeGreaterThan(290)
  await Promise.all(upTo(50).map(held.refresh))
  expect(reads).toBe(5)
})

test('the message of a revocation is enough, and a failover behind it brings nothing back', async () => {
  const sha256 = createHash('sha256')
    .update(`saoma_shop_${'k'.repeat(43)}`)
    .digest('hex')
  const shop = keyOf('shop', { secrets: [{ sha256 }] })
  const isFound = (keys: HeldKeys) => keys.find(`saoma_shop_${'k'.repeat(43)}`) !== undefined
  let isAway = false
  const marked: string[] = []
  const store = {
    version: async () => 'v',
    read: async () => {
      if (isAway) throw new RedisUnavailable('it fails over')
      return contentsOf([shop])
    },
    mark: async (marks: ReadonlyMap<string, unknown>) => void marked.push(...marks.keys()),
    put: async () => [],
    clear: async () => {},
  } as Partial<KeyStore> as KeyStore
  let tell = (_: string) => {}
  const subscriber = {
    hold: async (_: string, { hear }: { hear: (payload: Buffer) => void }) => {
      tell = (text) => hear(Buffer.from(text))
    },
    ...{ release: () => {}, on: () => {}, off: () => {} },
  } as unknown as Subscriber
  const log = { info: () => {}, warn: () => {}, error: () => {} }
  const held = holdKeys({ store, subscriber, channel: 'changes', log })
  onCleanup(held.close)
  await held.refresh()
  expect(isFound(held)).toBe(true)
  isAway = true
  tell(`w ${shop.id} shop`)
  expect(isFound(held)).toBe(false)
  // The new master has the key, and no mark.
  isAway = false
  await held.refresh()
  expect([isFound(held), marked.includes(shop.id)]).toEqual([false, true])
})
