import { inflateSync } from 'node:zlib'
import { encodePng } from '../src/palette-png.ts'

/** A picture of that size, by a function of the place. */
const paint = (width: number, height: number, colourOf: (x: number, y: number) => [number, number, number]) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 4 }, (_, i) => {
    const at = Math.floor(i / 4)
    return i % 4 === 3 ? 255 : (colourOf(at % width, Math.floor(at / width))[i % 4] ?? 0)
  }),
})

/** Reads what `encodePng` writes. */
const decode = (
  png: Buffer,
): { width: number; height: number; colours: number; at: (x: number, y: number) => number[] } => {
  const chunks = new Map<string, Buffer>()
  for (let i = 8; i < png.length; ) {
    const length = png.readUInt32BE(i)
    chunks.set(png.toString('latin1', i + 4, i + 8), png.subarray(i + 8, i + 8 + length))
    i += length + 12
  }
  const [header, palette, data] = ['IHDR', 'PLTE', 'IDAT'].map((name) => chunks.get(name) ?? Buffer.alloc(0))
  const rows = inflateSync(data ?? Buffer.alloc(0))
  const width = header?.readUInt32BE(0) ?? 0
  return {
    width,
    height: header?.readUInt32BE(4) ?? 0,
    colours: (palette?.length ?? 0) / 3,
    at: (x, y) => {
      const place = (rows[y * (width + 1) + 1 + x] ?? 0) * 3
      return [...(palette?.subarray(place, place + 3) ?? [])]
    },
  }
}

test('a picture of few colours keeps each of them', () => {
  const png = decode(encodePng(paint(3, 2, (x, y) => [x * 100, y * 200, 7])))
  expect([png.width, png.height, png.colours]).toEqual([3, 2, 6])
  expect(png.at(2, 1)).toEqual([200, 200, 7])
  expect(png.at(0, 0)).toEqual([0, 0, 7])
})

test('of many colours the most frequent stay, and the others become the nearest', () => {
  // The lower half is one colour; above are 1,000 others, of which few can stay.
  const png = decode(encodePng(paint(50, 40, (x, y) => (y < 20 ? [x * 5, y * 12, 0] : [1, 2, 3]))))
  expect(png.colours).toBe(256)
  expect(png.at(10, 30)).toEqual([1, 2, 3])
  const [red = 0, green = 0] = png.at(49, 19)
  expect(red + green).toBeGreaterThan(200)
})
