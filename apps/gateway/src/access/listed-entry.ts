import { isGood, type StoredEntry } from './stored-entry.ts'
import type { Use } from './table-store.ts'

/** What administrators see of every entry of a table, if it is known. Times are in ISO 8601. */
export interface ListedTimes {
  madeAt?: string
  /** The name of the API key that made it. It is missing if the command did. */
  madeBy?: string
  expiresAt?: string
  rotatedAt?: string
  /** While rotations overlap: when the last one of the former secrets stops. */
  formerUntil?: string
  firstUsedAt?: string
  lastUsedAt?: string
}

const timeOf = <N extends string>(name: N, ms: number | undefined): { [K in N]?: string } =>
  (ms === undefined ? {} : { [name]: new Date(ms).toISOString() }) as { [K in N]?: string }

export const usesOf = (use: Use | undefined): Pick<ListedTimes, 'firstUsedAt' | 'lastUsedAt'> => ({
  ...timeOf('firstUsedAt', use?.first),
  ...timeOf('lastUsedAt', use?.last),
})

export const timesOf = (entry: StoredEntry, use?: Use): ListedTimes => {
  const { madeAt, madeBy, expiresAt, rotatedAt, secrets } = entry
  const now = Date.now()
  const ends = secrets.flatMap((secret) => (secret.until !== undefined && isGood(secret, now) ? [secret.until] : []))
  return {
    ...timeOf('madeAt', madeAt),
    ...(madeBy === '' ? {} : { madeBy }),
    ...timeOf('expiresAt', expiresAt),
    ...timeOf('rotatedAt', rotatedAt),
    ...timeOf('formerUntil', ends.length > 0 ? Math.max(...ends) : undefined),
    ...usesOf(use),
  }
}
