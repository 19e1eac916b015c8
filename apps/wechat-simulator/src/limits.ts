/** WeChat's limits, from its documentation. */
export const wechatLimits = {
  /** Answers of getwxacodeunlimit, for the whole account. */
  codesPerMinute: 5_000,
  /** URL Links and URL Schemes together, for the whole account. */
  linksPerSecond: 100,
  linksPerDay: 500_000,
  /** Calls of stable_token, for the whole account. */
  tokensPerMinute: 10_000,
  tokensPerDay: 500_000,
  /** Calls of stable_token with force_refresh. */
  forcedPerDay: 20,
  /** Calls of jscode2session for one person. */
  sessionsPerMinute: 100,
  /** Maximum of unpublished pages that codes may point to with check_path false. */
  unpublishedPages: 60_000,
}

export type Limits = typeof wechatLimits
