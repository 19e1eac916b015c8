import { createHash } from 'node:crypto'
import pMap from 'p-map'
import type { PooledCode } from './code.ts'
import { pictureMadeAt } from './picture-key.ts'
import type { Pool } from './pool.ts'
import type { PoolStore } from './pool-store.ts'

export interface AuditOptions {
  /** Retires codes without a good picture, and removes pictures without a code. @default false */
  repair?: boolean
  /** Ends the audit. It then returns the findings so far and repairs nothing. */
  signal?: AbortSignal
  /** Called for each picture that was read, with the number of all pictures. */
  onPicture?: (read: number, all: number) => void
}

export interface Audit {
  /** How many codes were checked. */
  codes: number
  /** Codes whose picture is missing. */
  missing: PooledCode[]
  /** Codes whose picture differs from the stored hash. */
  damaged: PooledCode[]
  /** Keys of pictures without a code. */
  stray: string[]
  repaired: boolean
}

/** A younger picture without a code may get its code at any moment. */
const YOUNG_MS = 10 * 60_000
const AT_ONCE = 8

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/**
 * Compares a pool with its store. Codes come and go meanwhile, so each problem is checked twice. Files whose
 * names are not picture keys are ignored. Rejects when Redis or the store is unavailable, or when the store
 * belongs to another pool.
 */
export const auditPool = async (pool: Pool, store: PoolStore, options: AuditOptions = {}): Promise<Audit> => {
  const { repair = false, signal, onPicture = () => {} } = options
  await store.recognise()
  // List the pictures first: a picture that is old enough got its code before we list the codes.
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

  // A code that was retired meanwhile has lost its picture on purpose.
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
