import type { RedisClients } from '@saoma/redis'
import { createWechat, type Wechat } from '@saoma/wechat'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../operate/metrics.ts'

/** WeChat's server API with metrics; undefined if it is not configured. */
export const openWechat = (
  redis: RedisClients,
  { wechat, wechatSeconds }: Pick<Metrics, 'wechat' | 'wechatSeconds'>,
  config: Config['wechat'],
): Wechat | undefined =>
  config &&
  createWechat(redis, {
    ...config,
    onEvent: (event) => {
      wechat.inc({ event: event.kind })
      if ('ms' in event) wechatSeconds.observe({ api: event.api }, event.ms / 1_000)
    },
  })
