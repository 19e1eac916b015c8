import type { RedisClients } from '@saoma/redis'
import { createWechat, type Wechat } from '@saoma/wechat'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../operate/metrics.ts'

/** The mini-programs of the company. */
export interface WechatApps {
  /** The one that draws the codes; undefined if WeChat is not configured. */
  first?: Wechat
  /** All of them by appid, the first one first. */
  all: ReadonlyMap<string, Wechat>
  close(): void
}

/** WeChat's server API with metrics, once for each mini-program. */
export const openWechat = (
  redis: RedisClients,
  { wechat, wechatSeconds }: Pick<Metrics, 'wechat' | 'wechatSeconds'>,
  config: Config['wechat'],
): WechatApps => {
  const all = new Map<string, Wechat>()
  if (config) {
    const { others, ...settings } = config
    for (const app of [settings, ...others])
      all.set(
        app.appid,
        createWechat(redis, {
          ...settings,
          ...app,
          onEvent: (event) => {
            wechat.inc({ event: event.kind })
            if ('ms' in event) wechatSeconds.observe({ api: event.api }, event.ms / 1_000)
          },
        }),
      )
  }
  const [first] = all.values()
  return {
    ...(first ? { first } : {}),
    all,
    close: () => {
      for (const each of all.values()) each.close()
    },
  }
}
