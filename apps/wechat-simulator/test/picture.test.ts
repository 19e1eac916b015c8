import { readJpeg } from '@saoma/testing'
import jsqr from 'jsqr'
import { PNG } from 'pngjs'
import { type Started, start } from './start.ts'

let simulator: Started

beforeAll(async () => {
  simulator = await start({ pages: ['pages/home/index', 'pages/login/index'] })
})

const draw = async (body: object) => {
  const { access_token } = await simulator.stableToken()
  const answer = await simulator.call('/wxa/getwxacodeunlimit', { query: { access_token }, body })
  expect(answer.headers.get('content-type')).toBe('image/jpeg')
  return Buffer.from(await answer.arrayBuffer())
}
const textOf = ({ data, width, height }: { data: Uint8ClampedArray; width: number; height: number }) =>
  // A CommonJS module whose function is its property `default`.
  jsqr.default(data, width, height)?.data
const readPng = (bytes: Buffer) => {
  const { data, width, height } = PNG.sync.read(bytes)
  return { data: new Uint8ClampedArray(data), width, height }
}

const scene = 'abcdefghijABCDEFGHIJ_-'

test.each([280, 430, 1280])('a code of %d pixels is a JPEG that reads as its page and scene', async (width) => {
  const image = readJpeg(await draw({ scene, page: 'pages/login/index', width }))
  expect(image.width).toBeGreaterThanOrEqual(width)
  expect(image.height).toBe(image.width)
  expect(textOf(image)).toBe(`pages/login/index?scene=${scene}`)
})

test('the default width is 430 pixels, and the default page is the home page', async () => {
  const image = readJpeg(await draw({ scene }))
  expect(image.width).toBe(430)
  expect(textOf(image)).toBe(`pages/home/index?scene=${scene}`)
})

test('is_hyaline gives a transparent PNG although the header still says image/jpeg', async () => {
  const image = readPng(await draw({ scene, is_hyaline: true, line_color: { r: 200, g: 0, b: '0' } }))
  expect(image.width).toBe(430)
  expect([...image.data.subarray(0, 4)]).toEqual([255, 255, 255, 0])
  expect(textOf(image)).toBe(`pages/home/index?scene=${scene}`)
})

test('every allowed character arrives, percent-encoded as in a query', async () => {
  for (const odd of ["!#$&'()*+,/:;=?@-._~`", '0123456789ABCDEFGHIJKLMNOPQRSTUV']) {
    const text = textOf(readJpeg(await draw({ scene: odd }))) ?? ''
    expect(decodeURIComponent(text.split('scene=')[1] ?? '')).toBe(odd)
  }
})

test('drawn codes can be listed', async () => {
  await draw({ scene: 'the-last-one', env_version: 'trial' })
  const { codes } = (await simulator.json('/simulator/codes')) as { codes: object[] }
  expect(codes.at(-1)).toEqual({ page: 'pages/home/index', scene: 'the-last-one', env_version: 'trial' })
})
