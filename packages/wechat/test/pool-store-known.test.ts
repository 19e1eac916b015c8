import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RedisClients } from '@saoma/redis'
import { onCleanup, startRedis, startS3 } from '@saoma/testing'
import {
  auditPool,
  type CodeStore,
  CodeStoreError,
  createFolderStore,
  createPool,
  createPoolStore,
  createS3Store,
} from '../src/index.ts'
import { APPID, drawScene, listOf, openRedis, picture } from './pool-fixtures.ts'

const server = await startRedis()
const { endpoint, region, bucket, credentials } = await startS3()
const base = await mkdtemp(join(tmpdir(), 'saoma-known-'))
onCleanup(() => rm(base, { recursive: true, force: true }))
const type = 'image/jpeg'
let places = 0

/** A node that looks into that place. */
const look = (redis: RedisClients, store: CodeStore) => {
  const pool = createPool(redis, { appid: APPID, quarantineMs: 60_000 })
  return { pool, store: createPoolStore({ redis, pool, store }, APPID), key: redis.keys.poolStore(APPID) }
}
type Node = ReturnType<typeof look>
/** A code with its picture. Gives the picture's key. */
const add = async ({ pool, store }: Pick<Node, 'pool'> & { store: CodeStore }): Promise<string> => {
  const scene = drawScene()
  const key = `${scene}.jpg`
  await store.put(key, picture, type)
  await pool.add(scene, { key, type, sha256: 'abc=' })
  return key
}

describe.each([
  ['a folder', (name: string) => createFolderStore(join(base, name))],
  ['a bucket', (prefix: string) => createS3Store({ bucket, endpoint, region, credentials, prefix })],
])('%s', (_, open) => {
  let redis: RedisClients
  let name: string
  // Its client is loaded when it is first asked, which may hold this process up for longer than a command of
  // Redis may take.
  beforeAll(() =>
    open('first')
      .get('nothing')
      .catch(() => {}),
  )
  const at = (place: string, of = redis) => look(of, open(place))
  beforeEach(async () => {
    redis = await openRedis(server.url)
    name = `place-${++places}`
  })

  // It gets one id even if many nodes look at once.
  test('[P30] that is empty becomes the store of a new pool, under one id', async () => {
    const other = await openRedis(server.url, redis.keys.prefix)
    const nodes = [at(name), at(name, other), at(name), at(name, other)]
    await Promise.all(nodes.map(({ store }) => store.recognise()))
    const [{ store, key }] = nodes as [Node]
    const id = await store.id()
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(await redis.data.get(key)).toBe(id)
    expect(await redis.data.pttl(key)).toBeGreaterThan(29 * 86_400_000)
    await Promise.all(nodes.map((node) => node.store.recognise()))
  })

  test('[P30] that is not the pool’s takes no picture and has lost none', async () => {
    const node = at(name)
    await node.store.recognise()
    const key = await add(node)
    const foreign = at(`${name}-foreign`, await openRedis(server.url))
    await foreign.store.recognise()
    for (const place of [`${name}-empty`, `${name}-foreign`]) {
      const { pool, store } = at(place)
      await store.check()
      await expect(store.recognise()).rejects.toThrow(CodeStoreError)
      await expect(store.get(key)).rejects.toThrow(CodeStoreError)
      await expect(auditPool(pool, store, { repair: true })).rejects.toThrow(/SAOMA_POOL_STORE/)
    }
    expect(await listOf(node.pool)).toHaveLength(1)
    expect(await node.store.get(key)).toEqual(picture)
    expect(await node.store.get('none.jpg')).toBeUndefined()
  })

  test('[P30] becomes the store of the pool by an operator’s order', async () => {
    await at(name).store.recognise()
    for (const place of [`${name}-new`, name]) {
      const { store } = at(place)
      await expect(store.recognise()).rejects.toThrow(/`adopt`/)
      await store.adopt()
      await store.recognise()
      expect(await store.get('none.jpg')).toBeUndefined()
    }
    await expect(at(`${name}-new`).store.recognise()).rejects.toThrow(CodeStoreError)
  })

  test('[P30] is recognised after Redis was emptied, and a founder that died is replaced', async () => {
    const { store, key } = at(name)
    await store.recognise()
    const id = await store.id()
    await redis.data.del(key)
    await store.recognise()
    expect(await redis.data.get(key)).toBe(id)

    const late = at(`${name}-late`, await openRedis(server.url))
    await redis.data.set(late.key, 'draft', 'PX', 300)
    await late.store.recognise()
    expect(await redis.data.get(late.key)).toBe(await late.store.id())
  })
})

test('[P30] a folder without an id is recognised by its pictures, but an empty one is not', async () => {
  const redis = await openRedis(server.url)
  const folder = join(base, 'former')
  const make = async (place: string) => {
    await mkdir(place)
    await writeFile(join(place, '.saoma-pool'), '')
    return createFolderStore(place)
  }
  const node = look(redis, await make(folder))
  await add({ pool: node.pool, store: createFolderStore(folder) })
  const wrong = look(redis, await make(`${folder}-empty`))
  await expect(wrong.store.recognise()).rejects.toThrow(/the pictures of the pool are not here/)
  await node.store.recognise()
  expect(await node.store.id()).toBe(await redis.data.get(node.key))
  await expect(wrong.store.recognise()).rejects.toThrow(CodeStoreError)
})

test('[P30] two nodes with their own folders share no id, and an older mark is corrected', async () => {
  const redis = await openRedis(server.url)
  const nodes = ['one', 'two'].map((name) => look(redis, createFolderStore(join(base, `split-${name}`))))
  const ends = await Promise.allSettled(nodes.map(({ store }) => store.recognise()))
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const at = ends.findIndex(({ status }) => status === 'fulfilled')
  const folder = join(base, `split-${['one', 'two'][at]}`)
  await writeFile(join(folder, '.saoma-pool'), '')
  const again = look(redis, createFolderStore(folder))
  await again.store.recognise()
  expect(await again.store.id()).toBe(await redis.data.get(again.key))
})

test('[P30] a pool whose disk is not mounted keeps its codes and goes on when it is', async () => {
  const redis = await openRedis(server.url)
  const folder = join(base, 'disk')
  const before = look(redis, createFolderStore(folder))
  await before.store.recognise()
  const key = await add(before)
  await rename(folder, `${folder}.away`)
  await mkdir(folder)
  const after = look(redis, createFolderStore(folder))
  await expect(after.store.recognise()).rejects.toThrow(/is the disk mounted\?/)
  await expect(after.store.get(key)).rejects.toThrow(CodeStoreError)
  await rm(folder, { recursive: true })
  await rename(`${folder}.away`, folder)
  await after.store.recognise()
  expect(await after.store.get(key)).toEqual(picture)
})
