import { fail, ok, type Result } from '@saoma/protocol'
import type { Wechat } from '@saoma/wechat'
import QRCode from 'qrcode'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import { addressFor, type Opens } from '../ticket-address.ts'

export interface QrImage {
  bytes: Buffer
  type: string
}

/** The address of an image, for a client that can fetch it and verify its hash. */
export interface ImageLocation {
  url: string
  /** Its hash in the format of Subresource Integrity. */
  integrity: string
}

/** The picture that a page shows for a ticket. */
export interface ShownPicture {
  /** `plain` is readable by any camera, `mini-program` by WeChat only. */
  code: 'plain' | 'mini-program'
  /** The check number to show beside it. */
  check?: string
  image: QrImage | ImageLocation
}

export interface PictureRequest {
  /** Whether this is the first request for this ticket's picture. */
  isFirst: boolean
  /** Whether the client accepts an address instead of the image. */
  takesPlace: boolean
  /** What it opens. @default what the settings say */
  opens?: Opens
}

/** Provides the picture that the phone scans for a ticket. */
export type QrPicture = (ticket: string, wish: PictureRequest) => Promise<Result<ShownPicture>>

/** A plain QR code with the address of a page, or of the business's own app. Any phone's camera opens it. */
export const plainPicture =
  (origin: string, opens: Opens = 'phone'): QrPicture =>
  async (ticket) => {
    const bytes = await QRCode.toBuffer(addressFor(origin, opens, ticket), {
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
