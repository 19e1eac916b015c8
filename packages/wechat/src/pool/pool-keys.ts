import type { Keys } from '@saoma/redis'

/** An unused pool expires after 30 days. */
const TTL_MS = 30 * 24 * 3_600_000

/** The keys of one app's pool, in the form of the scripts' parameters. */
export const poolKeys = (keys: Keys, appid: string) => ({
  ttlMs: TTL_MS,
  code: (scene: string) => keys.poolCode(appid, scene),
  /** Prefix of the codes' keys; scripts append the scene. */
  codes: keys.poolCode(appid, ''),
  leasesPrefix: keys.poolLease(appid, ''),
  run: keys.poolRun(appid),
  /** The sets of codes: fresh, rested, busy. */
  places: [keys.poolFresh(appid), keys.poolRested(appid), keys.poolBusy(appid)] as [string, string, string],
})
