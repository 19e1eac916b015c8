import type { Keys } from '@saoma/redis'

/** A pool that nobody uses or fills forgets itself after 30 days. */
const TTL_MS = 30 * 24 * 3_600_000

/** The keys of one app's pool, in the forms that its scripts take. */
export const poolKeys = (keys: Keys, appid: string) => ({
  ttlMs: TTL_MS,
  code: (scene: string) => keys.poolCode(appid, scene),
  /** What the keys of codes begin with: scripts make the rest. */
  codes: keys.poolCode(appid, ''),
  leasesPrefix: keys.poolLease(appid, ''),
  run: keys.poolRun(appid),
  /** Where a code can be: fresh, rested, busy. */
  places: [keys.poolFresh(appid), keys.poolRested(appid), keys.poolBusy(appid)] as [string, string, string],
})
