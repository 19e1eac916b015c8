/**
 * Side of a JPEG block in pixels. Each block has one uniform shade, so only its DC coefficient is not zero.
 */
export const BLOCK = 8

/** A DC coefficient is eight times the mean. This quantizer leaves the mean itself. */
const QUANTIZER = 8
const DC_CATEGORIES = 12

const segment = (marker: number, ...bytes: number[]): number[] => {
  const length = bytes.length + 2
  return [0xff, marker, length >> 8, length & 255, ...bytes]
}

const word = (value: number): [number, number] => [value >> 8, value & 255]

const head = (size: number): number[] => [
  0xff,
  0xd8,
  ...segment(0xe0, ...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0),
  ...segment(0xdb, 0, ...Array<number>(64).fill(QUANTIZER)),
  // Baseline, 8 bits, one grey component.
  ...segment(0xc0, 8, ...word(size), ...word(size), 1, 1, 0x11, 0),
  // DC: the twelve categories, each coded as itself in four bits. AC: nothing but "end of block", one bit 0.
  ...segment(0xc4, 0x00, ...[0, 0, 0, DC_CATEGORIES, ...Array<number>(12).fill(0)], ...Array(DC_CATEGORIES).keys()),
  ...segment(0xc4, 0x10, ...[1, ...Array<number>(15).fill(0)], 0x00),
  ...segment(0xda, 1, 1, 0x00, 0, 63, 0),
]

/**
 * A square, grey JPEG of uniform 8x8 blocks, which is enough for a QR code.
 * @param size  pixels
 * @param shade  of the block in that column and row, from 0 (black) to 255 (white)
 */
export const drawJpeg = (size: number, shade: (column: number, row: number) => number): Buffer => {
  const bytes = head(size)
  let bits = 0
  let count = 0
  const put = (value: number, length: number): void => {
    for (let i = length - 1; i >= 0; i--) {
      bits = (bits << 1) | ((value >> i) & 1)
      if (++count < 8) continue
      bytes.push(bits)
      // In the data 0xff must not look like a marker, so a zero byte follows it.
      if (bits === 0xff) bytes.push(0)
      bits = 0
      count = 0
    }
  }

  const blocks = Math.ceil(size / BLOCK)
  let previous = 0
  for (let row = 0; row < blocks; row++) {
    for (let column = 0; column < blocks; column++) {
      const level = shade(column, row) - 128
      const difference = level - previous
      const category = 32 - Math.clz32(Math.abs(difference))
      put(category, 4)
      put(difference > 0 ? difference : difference + 2 ** category - 1, category)
      put(0, 1)
      previous = level
    }
  }
  while (count > 0) put(1, 1)
  return Buffer.from([...bytes, 0xff, 0xd9])
}
