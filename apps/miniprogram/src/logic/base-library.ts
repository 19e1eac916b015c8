/** What WeChat reports about itself on this phone. */
export interface Base {
  /** For example `zh_CN`. */
  language?: string
  /** Version of the base library, for example `3.8.10`. */
  SDKVersion?: string
}

/** The part of `wx` that reports it. Before 2.20.1 only the older function exists. */
export interface BaseWx {
  getAppBaseInfo?(): Base
  getSystemInfoSync?(): Base
}

/**
 * The oldest base library with all functions that the program uses; `wx.offNetworkStatusChange` came last.
 */
export const OLDEST = '2.9.3'

export const baseOf = (wx: BaseWx): Base => wx.getAppBaseInfo?.() ?? wx.getSystemInfoSync?.() ?? {}

const partsOf = (version: string): number[] => version.split('.').map((part) => Number.parseInt(part, 10) || 0)

/** Whether WeChat on this phone is too old. An unreadable version counts as new enough. */
export const isTooOld = ({ SDKVersion: version = OLDEST }: Base): boolean => {
  const [mine, oldest] = [partsOf(version), partsOf(OLDEST)]
  const at = oldest.findIndex((part, i) => part !== (mine[i] ?? 0))
  return at >= 0 && (mine[at] ?? 0) < (oldest[at] ?? 0)
}
