import { randomBytes } from 'node:crypto'
import { createSeal, every, orUnavailable, type RedisClients, RedisUnavailable, type Seal } from '@saoma/redis'
import * as v from 'valibot'
import { type Box, createBox, KEY_BYTES } from './box.ts'
import { swap } from './scripts.ts'

export interface AccountKeysOptions {
  /** Protect the keys in Redis. The first secret encrypts, all decrypt. */
  secrets: readonly [string, ...string[]]
  /** Called when the keys are there but cannot be read. The present ones stay in use. */
  onError?: (error: unknown) => void
  /** Milliseconds between two reads of the keys. @default 30 seconds */
  checkMs?: number
}

/** The keys by which accounts are found and opened. */
export interface AccountKeys {
  /** The first one writes. All of them find and open. */
  boxes(): readonly [Box, ...Box[]]
  close(): void
}

/** Each key in several forms, each sealed by another secret, the newest first. */
const Stored = v.array(v.array(v.string()))
/** Forms of one key: enough to replace a secret and to go back. */
const MOST_FORMS = 3
const SWAPS = 5

/** @throws an error for the operator, code WRONG_SECRET */
const wrongSecret = (): Error =>
  Object.assign(
    new Error(
      'SAOMA_SECRET does not open the account keys in Redis. Name the secret they were made with in SAOMA_PREVIOUS_SECRET, or begin anew with an empty Redis.',
    ),
    { code: 'WRONG_SECRET' },
  )

/**
 * Opens the cluster's account keys, and creates the first. They are random and not derived from SAOMA_SECRET:
 * people are found by them, so they have to outlive every secret. They have no TTL. They lie in the slot of
 * the signing keys: either both are lost or none.
 *
 * Each read merges the node's keys with those in Redis, so a running node puts back what Redis has lost. A
 * key is never removed. There is a second one only if a node had to begin while Redis had lost the first.
 *
 * Rejects with RedisUnavailable, or with an error for the operator when the secrets do not open the keys.
 */
export const openAccountKeys = async (redis: RedisClients, options: AccountKeysOptions): Promise<AccountKeys> => {
  const { secrets, onError = () => {}, checkMs = 30_000 } = options
  const at: [string] = [redis.keys.accountKeys()]
  const purpose = 'saoma account keys'
  const seal = createSeal({ secrets, purpose })
  const newest = createSeal({ secrets: [secrets[0]], purpose })
  /** The keys in their order, each with its forms. */
  let held: ReadonlyMap<string, readonly string[]> = new Map()
  let boxes: [Box, ...Box[]] | undefined

  const openBy = async ({ open }: Seal, forms: readonly string[]): Promise<string | undefined> => {
    for (const form of forms) {
      const key = await open(form)
      if (key !== undefined) return key
    }
    return undefined
  }

  const openOne = async (forms: readonly string[]): Promise<[key: string, forms: readonly string[]]> => {
    const key = await openBy(newest, forms)
    if (key !== undefined) return [key, forms]
    const former = await openBy(seal, forms)
    if (former === undefined) throw wrongSecret()
    // SAOMA_SECRET has changed. Nodes that know only the former secret still read the former form.
    return [former, [await seal.close(former), ...forms].slice(0, MOST_FORMS)]
  }

  const load = async (): Promise<void> => {
    for (let tries = 0; tries < SWAPS; tries++) {
      const text = await orUnavailable(redis.data.get(at[0]))
      const stored = await Promise.all((text ? v.parse(Stored, JSON.parse(text)) : []).map(openOne))
      const all = new Map<string, readonly string[]>([
        ...stored,
        ...[...held].filter(([key]) => !stored.some(([known]) => known === key)),
      ])
      if (all.size === 0) {
        const key = randomBytes(KEY_BYTES).toString('base64url')
        all.set(key, [await seal.close(key)])
      }
      const next = JSON.stringify([...all.values()])
      const replicated = redis.writing(at[0])
      if (next !== text && !(await swap(redis.data, at, [text ?? '', next]))) continue
      await replicated()
      held = all
      boxes = [...all.keys()].map((key) => createBox(Buffer.from(key, 'base64url'))) as [Box, ...Box[]]
      return
    }
    throw new RedisUnavailable('the account keys kept changing while they were read')
  }

  await load()
  let isLoading = false
  const loadAgain = async () => {
    if (isLoading) return
    isLoading = true
    try {
      await load()
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) onError(error)
    } finally {
      isLoading = false
    }
  }
  const stop = every(checkMs, loadAgain)
  // Redis may have come back with less data than before.
  redis.data.on('ready', loadAgain)

  return {
    boxes: () => {
      if (!boxes) throw new Error('the account keys were not read')
      return boxes
    },
    close: () => {
      stop()
      redis.data.off('ready', loadAgain)
    },
  }
}
