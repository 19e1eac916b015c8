import type { Wx } from '@saoma/client/wx'
import type { BaseWx } from './base-library.ts'

/** How WeChat opened the mini-program. `scene` is WeChat's number for that, not the scene of a code. */
export interface EnterOptions {
  scene: number
}

/** The part of WeChat's `wx` that this mini-program uses. */
export interface WxApp extends Wx, BaseWx {
  /** Returns a code that identifies the person. It works once, for five minutes. */
  login(options: { success(result: { code: string }): void; fail(error: { errMsg: string }): void }): unknown
  getEnterOptionsSync(): EnterOptions
}
