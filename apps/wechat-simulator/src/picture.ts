import QRCode from 'qrcode'
import { BLOCK, drawJpeg } from './jpeg.ts'

export interface Picture {
  page: string
  scene: string
  /** Pixels. A JPEG gets larger if the text needs more. */
  width: number
  /** Transparent background: a PNG instead of a JPEG. */
  hyaline: boolean
  line: { r: number; g: number; b: number }
}

/** Empty modules around a QR code. */
const QUIET = 4
const WHITE = 255

/** The page that a scan opens, as the mini-program receives it. Its `query.scene` is percent-encoded. */
export const textOf = (page: string, scene: string): string => `${page}?scene=${encodeURIComponent(scene)}`

const hex = (value: number): string => Math.trunc(value).toString(16).padStart(2, '0')

/**
 * An ordinary QR code of `<page>?scene=<scene>`, which every reader understands. WeChat draws a round or
 * flower-like code of its own, which only WeChat reads.
 */
export const drawPicture = async ({ page, scene, width, hyaline, line }: Picture): Promise<Buffer> => {
  const text = textOf(page, scene)
  if (hyaline) {
    return QRCode.toBuffer(text, {
      width,
      margin: QUIET,
      color: { dark: `#${hex(line.r)}${hex(line.g)}${hex(line.b)}`, light: '#ffffff00' },
    })
  }
  const { modules } = QRCode.create(text, {})
  const needed = modules.size + 2 * QUIET
  const blocks = Math.max(Math.ceil(width / BLOCK), needed)
  const scale = Math.floor(blocks / needed)
  const offset = Math.floor((blocks - modules.size * scale) / 2)
  const dark = Math.round(0.299 * line.r + 0.587 * line.g + 0.114 * line.b)
  const moduleAt = (block: number): number => Math.floor((block - offset) / scale)
  const inside = (module: number): boolean => module >= 0 && module < modules.size
  return drawJpeg(Math.max(width, needed * BLOCK), (column, row) => {
    const [x, y] = [moduleAt(column), moduleAt(row)]
    return inside(x) && inside(y) && modules.get(y, x) ? dark : WHITE
  })
}
