/** What WeChat tells of itself on this phone. */
export interface Base {
  /** As `zh_CN`. */
  language?: string
  /** Of the base library, as `3.8.10`. */
  SDKVersion?: string
}

/** The part of `wx` that tells it; before 2.20.1 there is only the older one. */
export interface BaseWx {
  getAppBaseInfo?(): Base
  getSystemInfoSync?(): Base
}

/** The oldest base library that has all that is used here: `wx.offNetworkStatusChange` came with it. */
export const OLDEST = '2.9.3'

export const baseOf = (wx: BaseWx): Base => wx.getAppBaseInfo?.() ?? wx.getSystemInfoSync?.() ?? {}

const partsOf = (version: string): number[] => version.split('.').map((part) => Number.parseInt(part, 10) || 0)

/** Whether WeChat on this phone is too old. Nobody is kept out for a version that cannot be read. */
export const isTooOld = ({ SDKVersion: version = OLDEST }: Base): boolean => {
  const [mine, oldest] = [partsOf(version), partsOf(OLDEST)]
  const at = oldest.findIndex((part, i) => part !== (mine[i] ?? 0))
  return at >= 0 && (mine[at] ?? 0) < (oldest[at] ?? 0)
}
