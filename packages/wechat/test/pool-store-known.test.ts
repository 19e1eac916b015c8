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
import { APPID, drawScene, listOf, openRedis } from './pool-fixtures.ts'

const server = await startRedis()
const { endpoint, region, bucket, credentials } = await startS3()
const base = await mkdtemp(join(tmpdir(), 'saoma-known-'))
onCleanup(() => rm(base, { recursive: true, force: true }))
const picture = Buffer.from('ffd8ff00ff', 'hex')
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

  test('[P30] that is empty becomes the store of a pool that has none, under one id, however many look at once', async () => {
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

  test('[P30] that is another than the pool’s, empty or not, takes no picture and has lost none', async () => {
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

  test('[P30] becomes the store of the pool by the word of an operator', async () => {
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

  test('[P30] is known again after Redis was emptied, and one whose founder died is founded by the next', async () => {
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

test('[P30] a folder from before there were ids is known by its pictures, and an empty one beside it is not', async () => {
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

test('[P30] two nodes with folders of their own do not share an id, and a mark of a former version is mended', async () => {
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

test('[P30] a disk that is not mounted at the start: the pool keeps its codes, and goes on when it is back', async () => {
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
