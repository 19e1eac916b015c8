import { crc32, deflateSync } from 'node:zlib'

/** Pixels in rows from the top left, four bytes each: red, green, blue and alpha, which is left out. */
export interface Pixels {
  width: number
  height: number
  data: Uint8Array
}

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex')
const MOST_COLOURS = 256

const chunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

const distance = (a: number, b: number): number =>
  ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2

/**
 * A PNG with the 256 colours that the picture has most often; any other becomes the nearest of these. The
 * picture of a page has few colours besides those of smoothed edges, so nobody sees it. The file has a third
 * of the size.
 */
export const encodePng = ({ width, height, data }: Pixels): Buffer => {
  const colours = new Uint32Array(width * height)
  const counts = new Map<number, number>()
  for (let i = 0; i < colours.length; i++) {
    const colour = ((data[i * 4] ?? 0) << 16) | ((data[i * 4 + 1] ?? 0) << 8) | (data[i * 4 + 2] ?? 0)
    colours[i] = colour
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  const palette = [...counts]
    .sort(([a, often], [b, oftener]) => oftener - often || a - b)
    .slice(0, MOST_COLOURS)
    .map(([colour]) => colour)
  const places = new Map(palette.map((colour, place) => [colour, place]))
  const placeOf = (colour: number): number => {
    let place = places.get(colour)
    if (place === undefined) {
      const best = palette.reduce((near, one) => (distance(one, colour) < distance(near, colour) ? one : near))
      place = places.get(best) ?? 0
      places.set(colour, place)
    }
    return place
  }
  // Each row begins with the number of its filter: none.
  const rows = Buffer.alloc((width + 1) * height)
  for (const [i, colour] of colours.entries()) rows[Math.floor(i / width) + i + 1] = placeOf(colour)

  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3], 8) // eight bits a pixel, which are places in the palette
  const table = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', table),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
