import type { WechatFailure } from '@saoma/wechat'
import type { Logger } from '../operate/log.ts'

/** Only what an operator has to change is an error. */
export const logFailure = ({ kind, errcode, message }: WechatFailure, log: Logger): void => {
  const level = { rejected: 'info', unavailable: 'warn', misconfigured: 'error' } as const
  log[level[kind]]({ event: 'wechat', kind, errcode }, message)
}
