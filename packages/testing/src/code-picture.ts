import { createRequire } from 'node:module'
import { readJpeg } from './read-jpeg.ts'

/** Loaded on demand: most tests read no picture, and Jest would load it again for each file. */
const loadReader = (): typeof import('jsqr') => createRequire(import.meta.url)('jsqr')

/**
 * Every second pixel in both directions is enough, because the simulator draws blocks of eight. That is a
 * quarter of the work.
 */
const STEP = 2

const thin = ({ data, width, height }: ReturnType<typeof readJpeg>): ReturnType<typeof readJpeg> => {
  const pixels = new Uint32Array(data.buffer)
  const [columns, rows] = [Math.floor(width / STEP), Math.floor(height / STEP)]
  const thinned = new Uint32Array(columns * rows)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      thinned[row * columns + column] = pixels[STEP * (row * width + column)] ?? 0
  return { data: new Uint8ClampedArray(thinned.buffer), width: columns, height: rows }
}

/** What a phone reads in a code of the simulator: the page that it opens and that page's `scene`. */
export const readCode = (jpeg: Buffer): { page: string; scene: string } => {
  const { data, width, height } = thin(readJpeg(jpeg))
  const text = loadReader().default(data, width, height)?.data
  const [page = '', query] = text?.split('?') ?? []
  const scene = new URLSearchParams(query).get('scene')
  if (!scene) throw new Error(`the picture contains no WeChat code: ${text}`)
  return { page, scene }
}
