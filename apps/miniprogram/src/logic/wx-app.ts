import type { Wx } from '@saoma/client/wx'
import type { BaseWx } from './base-library.ts'

/** How WeChat opened the mini-program. `scene` is WeChat's number for that, not the scene of a code. */
export interface EnterOptions {
  scene: number
}

/** Asks the person for messages. WeChat takes it only while it handles a tap. */
export interface SubscribeOptions {
  tmplIds: string[]
  /**
   * By template: `accept` or `acceptWithAudio`, `reject`, or `ban` and `filter` for those that WeChat does
   * not take.
   */
  success(result: Record<string, string>): void
  /** Such as 20004, the person takes no messages at all, and 20001, there is no such template. */
  fail(error: { errMsg: string; errCode?: number }): void
}

/** The part of WeChat's `wx` that this mini-program uses. */
export interface WxApp extends Wx, BaseWx {
  /** Returns a code that identifies the person. It works once, for five minutes. */
  login(options: { success(result: { code: string }): void; fail(error: { errMsg: string }): void }): unknown
  getEnterOptionsSync(): EnterOptions
  /** Some versions of WeChat have none. */
  requestSubscribeMessage?(options: SubscribeOptions): unknown
}
