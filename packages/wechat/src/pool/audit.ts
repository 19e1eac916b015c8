import { createHash } from 'node:crypto'
import pMap from 'p-map'
import type { PooledCode } from './code.ts'
import { pictureMadeAt } from './picture-key.ts'
import type { Pool } from './pool.ts'
import type { PoolStore } from './pool-store.ts'

export interface AuditOptions {
  /** Retire the codes without a good picture, and remove pictures without a code. @default false */
  repair?: boolean
  /** Ends it; then what was found so far is given, and nothing is repaired. */
  signal?: AbortSignal
  /** Told of each picture that was read, and of how many there are to read. */
  onPicture?: (read: number, all: number) => void
}

export interface Audit {
  /** How many codes were looked at. */
  codes: number
  /** Codes whose picture is not there. */
  missing: PooledCode[]
  /** Codes whose picture is not the one that was put there. */
  damaged: PooledCode[]
  /** Keys of pictures that belong to no code. */
  stray: string[]
  repaired: boolean
}

/** A picture without a code that is younger may get its code at any moment. */
const YOUNG_MS = 10 * 60_000
const AT_ONCE = 8

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/**
 * Compares a pool with its store. Codes come and go meanwhile, so what looks wrong is looked at twice. A file
 * in the store whose name no pool made is nobody's business here. Rejects when Redis or the store cannot be
 * asked, or the store is not that of the pool.
 */
export const auditPool = async (pool: Pool, store: PoolStore, options: AuditOptions = {}): Promise<Audit> => {
  const { repair = false, signal, onPicture = () => {} } = options
  await store.recognise()
  // The pictures first: each of them has had its code before we ask for the codes, if it is old enough.
  const keys = await collect(store.list())
  const codes = await collect(pool.list())
  const owned = new Set(codes.map(({ image }) => image.key))

  const wrong = new Map<string, 'missing' | 'damaged'>()
  let read = 0
  await pMap(
    codes,
    async ({ scene, image }) => {
      if (signal?.aborted) return
      const bytes = await store.get(image.key)
      if (!bytes) wrong.set(scene, 'missing')
      else if (createHash('sha256').update(bytes).digest('base64') !== image.sha256) wrong.set(scene, 'damaged')
      onPicture(++read, codes.length)
    },
    { concurrency: AT_ONCE },
  )

  // A code that was retired meanwhile lost its picture for a good reason.
  const still = wrong.size > 0 ? await collect(pool.list()) : []
  const those = (kind: 'missing' | 'damaged') => still.filter(({ scene }) => wrong.get(scene) === kind)
  const now = Date.now()
  const stray = keys.filter((key) => {
    const madeAt = pictureMadeAt(key)
    return !owned.has(key) && madeAt !== undefined && now - madeAt > YOUNG_MS
  })
  const audit = { codes: codes.length, missing: those('missing'), damaged: those('damaged'), stray }
  if (!repair || signal?.aborted) return { ...audit, repaired: false }

  const bad = [...audit.missing, ...audit.damaged]
  await store.remove([...(await pool.retire(bad.map(({ scene }) => scene))), ...stray])
  return { ...audit, repaired: true }
}
