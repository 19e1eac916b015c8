import { createHash, timingSafeEqual } from 'node:crypto'
import { keyNameOf } from './api-keys.ts'
import type { Backend } from './principal.ts'
import type { KeyRing } from './revocation-watch.ts'
import { isGood } from './stored-entry.ts'
import type { StoredKey } from './stored-key.ts'

/** The secrets of stored keys. Each has a `Backend` of its own, because connections are compared by it. */
export interface SecretRing extends KeyRing {
  /** The backend that owns this key. It hashes only if there is a key of that name. */
  find(key: string): Backend | undefined
  /** Whether this is a secret that another one has replaced. */
  isFormer(who: Backend): boolean
  /** Replaces all keys. Connections of secrets that are still good may stay. */
  replace(keys: Iterable<StoredKey>): void
  close(): void
}

interface Secret {
  sha256: Buffer
  isFormer: boolean
  backend: Backend
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

const backendOf = ({ id, name, channels, may, scopes, expiresAt = Number.POSITIVE_INFINITY }: StoredKey): Backend => ({
  kind: 'backend',
  id,
  name,
  channels,
  may,
  scopes,
  expiresAt,
})

const same = (a: Backend, b: Backend): boolean => JSON.stringify(a) === JSON.stringify(b)

export const createSecretRing = (): SecretRing => {
  let held: readonly StoredKey[] = []
  let secrets: ReadonlyMap<string, readonly Secret[]> = new Map()
  let known = new Set<Backend>()
  let former = new Set<Backend>()
  let timer: NodeJS.Timeout | undefined
  const listeners = new Set<() => void>()

  /** Takes the secrets that are good now, and comes back when the next one ends. */
  const sort = (): void => {
    const now = Date.now()
    const next = new Map<string, readonly Secret[]>()
    let endsAt = Number.POSITIVE_INFINITY
    for (const key of held) {
      const before = secrets.get(key.name) ?? []
      const backend = backendOf(key)
      const good = key.secrets.filter((secret) => isGood(secret, now))
      for (const { until = endsAt } of good) endsAt = Math.min(endsAt, until)
      next.set(
        key.name,
        good.map(({ sha256, until }) => {
          const hash = Buffer.from(sha256, 'hex')
          const kept = before.find((one) => one.sha256.equals(hash))?.backend
          return {
            sha256: hash,
            isFormer: until !== undefined,
            backend: kept && same(kept, backend) ? kept : { ...backend },
          }
        }),
      )
    }
    secrets = next
    const all = [...next.values()].flat()
    const fresh = new Set(all.map(({ backend }) => backend))
    former = new Set(all.flatMap(({ isFormer, backend }) => (isFormer ? [backend] : [])))
    const isChanged = fresh.size !== known.size || [...fresh].some((backend) => !known.has(backend))
    known = fresh
    clearTimeout(timer)
    if (endsAt < Number.POSITIVE_INFINITY)
      timer = setTimeout(sort, Math.min(Math.max(endsAt - now, 1), LONGEST_TIMER_MS)).unref()
    if (isChanged) for (const listener of [...listeners]) listener()
  }

  return {
    find: (key) => {
      const candidates = secrets.get(keyNameOf(key))
      if (!candidates) return undefined
      const hash = createHash('sha256').update(key).digest()
      return candidates.find(({ sha256 }) => timingSafeEqual(sha256, hash))?.backend
    },
    isKnown: (who) => known.has(who),
    isFormer: (who) => former.has(who),
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    replace: (keys) => {
      held = [...keys]
      sort()
    },
    close: () => clearTimeout(timer),
  }
}
