import { type HeldTable, type HeldTableDeps, holdTable } from './held-table.ts'
import type { Backend } from './principal.ts'
import type { KeyRing } from './revocation-watch.ts'
import { createSecretRing } from './secret-ring.ts'
import type { StoredKey } from './stored-key.ts'

/** The API keys of Redis, all of them in the memory of one node. */
export interface HeldKeys extends KeyRing, HeldTable<StoredKey> {
  find(key: string): Backend | undefined
  /** Whether another secret has replaced the one with which this backend came. */
  isFormer(who: Backend): boolean
  /** Drops a key that was just revoked, and ends its connections. */
  drop(id: string, name: string): void
}

export const holdKeys = (deps: HeldTableDeps<StoredKey>): HeldKeys => {
  const ring = createSecretRing()
  const table = holdTable(deps, {
    event: 'api-keys',
    plural: 'API keys',
    onEntries: (entries) => ring.replace(entries.values()),
  })
  return {
    ...table,
    find: ring.find,
    isKnown: ring.isKnown,
    isFormer: ring.isFormer,
    onChange: ring.onChange,
    close: () => {
      table.close()
      ring.close()
    },
  }
}
