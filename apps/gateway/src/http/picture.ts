import { fail, ok, type Result } from '@saoma/protocol'
import type { Wechat } from '@saoma/wechat'
import QRCode from 'qrcode'
import type { Logger } from '../log.ts'

/** Draws what the phone scans for a ticket. */
export type Picture = (ticket: string) => Promise<
  Result<{
    bytes: Buffer
    type: string
    /** Whether any camera reads it, or WeChat only. */
    code: 'plain' | 'mini-program'
  }>
>

/** A plain QR code of the page that any phone's camera opens. */
export const plainPicture =
  (origin: string): Picture =>
  async (ticket) => {
    const bytes = await QRCode.toBuffer(`${origin}/phone?ticket=${ticket}`, {
      errorCorrectionLevel: 'M',
      margin: 2,
      width: 430,
    })
    return ok({ bytes, type: 'image/png', code: 'plain' })
  }

/** A mini-program code, drawn by WeChat. */
export const wechatPicture =
  (wechat: Wechat, log: Logger): Picture =>
  async (ticket) => {
    const drawn = await wechat.codeImage(ticket)
    if (drawn.ok) return ok({ ...drawn.image, code: 'mini-program' })
    log[drawn.kind === 'unavailable' ? 'warn' : 'error'](
      { event: 'wechat', kind: drawn.kind, errcode: drawn.errcode },
      drawn.message,
    )
    return fail('WECHAT_UNAVAILABLE')
  }
