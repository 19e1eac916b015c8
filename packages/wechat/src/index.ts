export type { CodeImage } from './code-image.ts'
export type { WechatEvent } from './events.ts'
export type { WechatFailure } from './failure.ts'
export { createWechat, type Wechat, type WechatOptions } from './wechat.ts'
