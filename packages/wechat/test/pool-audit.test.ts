import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup, startRedis } from '@saoma/testing'
import { auditPool, type CodeStore, createFolderStore, createPool, createPoolStore } from '../src/index.ts'
import { pictureKey } from '../src/pool/picture-key.ts'
import { APPID, drawScene, drawTicketId, listOf, openRedis, picture } from './pool-fixtures.ts'

const server = await startRedis()
const HOUR_MS = 3_600_000
const sha256 = createHash('sha256').update(picture).digest('base64')

const open = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-audit-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  const redis = await openRedis(server.url)
  const pool = createPool(redis, { appid: APPID, quarantineMs: 60_000 })
  const store = createPoolStore({ redis, pool, store: createFolderStore(folder) }, APPID)
  await store.recognise()
  const oldKey = () => pictureKey('image/jpeg', Date.now() - HOUR_MS)
  const add = async (): Promise<{ scene: string; key: string }> => {
    const made = { scene: drawScene(), key: oldKey() }
    await store.put(made.key, picture, 'image/jpeg')
    await pool.add(made.scene, { key: made.key, type: 'image/jpeg', sha256 })
    return made
  }
  return { pool, store, add, oldKey }
}
const keysOf = async (store: CodeStore) => {
  const keys: string[] = []
  for await (const key of store.list()) keys.push(key)
  return keys.toSorted()
}
const scenes = (codes: readonly { scene: string }[]) => codes.map(({ scene }) => scene)

test('[P28] an audit finds missing, changed and stray pictures and repairs only on request', async () => {
  const { pool, store, add, oldKey } = await open()
  const [good, missing, damaged] = [await add(), await add(), await add()]
  await store.remove([missing.key])
  await store.put(damaged.key, Buffer.from('another'), 'image/jpeg')
  const stray = oldKey()
  await store.put(stray, picture, 'image/jpeg')

  const seen: number[] = []
  const found = await auditPool(pool, store, { onPicture: (read, all) => seen.push(read, all) })
  expect(found).toMatchObject({ codes: 3, stray: [stray], repaired: false })
  expect([scenes(found.missing), scenes(found.damaged)]).toEqual([[missing.scene], [damaged.scene]])
  expect(seen).toEqual([1, 3, 2, 3, 3, 3])
  expect(await listOf(pool)).toHaveLength(3)

  expect(await auditPool(pool, store, { repair: true })).toEqual({ ...found, repaired: true })
  expect(scenes(await listOf(pool))).toEqual([good.scene])
  expect(await keysOf(store)).toEqual([good.key])
  expect(await auditPool(pool, store)).toEqual({ codes: 1, missing: [], damaged: [], stray: [], repaired: false })
})

test('[P28] an audit leaves a picture that may still get its code and files of others', async () => {
  const { pool, store } = await open()
  const left = [pictureKey('image/png'), 'index.html', 'README'].toSorted()
  for (const key of left) await store.put(key, picture, 'image/png')
  expect(await auditPool(pool, store, { repair: true })).toMatchObject({ stray: [], repaired: true })
  expect(await keysOf(store)).toEqual(left)
})

test('[P28] codes that are leased, added or retired during an audit are no faults', async () => {
  const { pool, store, add } = await open()
  for (let i = 0; i < 30; i++) await add()
  const audits = Array.from({ length: 10 }, () => auditPool(pool, store, { repair: true }))
  for (let i = 0; i < 10; i++) {
    await pool.lease(drawTicketId(), 60_000)
    await add()
    const [code] = await listOf(pool)
    if (code) await store.remove(await pool.retire([code.scene]))
  }
  for (const audit of await Promise.all(audits)) expect(audit).toMatchObject({ missing: [], damaged: [] })
  const keys = (await listOf(pool)).map(({ image }) => image.key)
  expect(keys).toHaveLength(30)
  expect(await keysOf(store)).toEqual(keys.toSorted())
})

test('[P28] an audit that is aborted repairs nothing', async () => {
  const { pool, store, add } = await open()
  await store.remove([(await add()).key])
  expect(await auditPool(pool, store, { repair: true, signal: AbortSignal.abort() })).toMatchObject({ repaired: false })
  expect(await listOf(pool)).toHaveLength(1)
})

test('[P27] a picture’s key gives its time, fits a store and is never the same twice', () => {
  const keys = Array.from({ length: 1_000 }, () => pictureKey('image/jpeg'))
  expect(new Set(keys).size).toBe(1_000)
  for (const key of keys) expect(key).toMatch(/^\d{10}-[0-9a-f]{32}\.jpg$/)
})
