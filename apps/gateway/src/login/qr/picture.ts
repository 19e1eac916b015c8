import { fail, ok, type Result } from '@saoma/protocol'
import type { Wechat } from '@saoma/wechat'
import QRCode from 'qrcode'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'

export interface QrImage {
  bytes: Buffer
  type: string
}

/** Where an image lies, for who can fetch it and hold it against its hash. */
export interface ImageLocation {
  url: string
  /** In the form of Subresource Integrity. */
  integrity: string
}

/** What a page shows for a ticket. */
export interface ShownPicture {
  /** Whether any camera reads it, or WeChat only. */
  code: 'plain' | 'mini-program'
  /** Two digits that belong beside it. */
  check?: string
  image: QrImage | ImageLocation
}

export interface PictureRequest {
  /** Whether nobody has asked for this ticket's picture before. */
  isFirst: boolean
  /** Whether a place will do instead of the image. */
  takesPlace: boolean
}

/** Finds what the phone scans for a ticket. */
export type QrPicture = (ticket: string, wish: PictureRequest) => Promise<Result<ShownPicture>>

/** A plain QR code of the page that any phone's camera opens. */
export const plainPicture =
  (origin: string): QrPicture =>
  async (ticket) => {
    const bytes = await QRCode.toBuffer(`${origin}/phone?ticket=${ticket}`, {
      errorCorrectionLevel: 'M',
      // The quiet zone of ISO/IEC 18004: four modules.
      margin: 4,
      width: 430,
    })
    return ok({ code: 'plain', image: { bytes, type: 'image/png' } })
  }

/** A mini-program code, drawn by WeChat for this ticket alone. */
export const wechatPicture =
  ({ wechat, metrics, log }: { wechat: Wechat; metrics: Metrics; log: Logger }) =>
  async (ticket: string): Promise<Result<ShownPicture>> => {
    const drawn = await wechat.codeImage(ticket)
    if (drawn.ok) {
      metrics.wechatDraws.inc({ purpose: 'login' })
      return ok({ code: 'mini-program', image: drawn.image })
    }
    log[drawn.kind === 'unavailable' ? 'warn' : 'error'](
      { event: 'wechat', kind: drawn.kind, errcode: drawn.errcode },
      drawn.message,
    )
    return fail('WECHAT_UNAVAILABLE')
  }
