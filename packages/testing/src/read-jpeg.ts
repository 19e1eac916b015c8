/** Canonical Huffman codes of a DHT segment: `length:code` to symbol. */
const huffman = (counts: Buffer, symbols: Buffer): Map<string, number> => {
  const codes = new Map<string, number>()
  let code = 0
  let next = 0
  counts.forEach((count, i) => {
    for (let j = 0; j < count; j++) codes.set(`${i + 1}:${code++}`, symbols[next++] ?? -1)
    code <<= 1
  })
  return codes
}

/** An RGBA pixel as one number; alpha comes last in memory. */
const [GREY, OPAQUE] = [0x010101, 0xff000000]

/** Decodes a grey baseline JPEG whose blocks each have one colour, into RGBA. Throws on any other JPEG. */
export const readJpeg = (jpeg: Buffer): { data: Uint8ClampedArray; width: number; height: number } => {
  const tables = new Map<number, Map<string, number>>()
  let [width, height, quantizer, at] = [0, 0, 0, 2]
  for (let marker = 0; marker !== 0xda; ) {
    marker = jpeg.readUInt16BE(at) & 255
    const body = jpeg.subarray(at + 4, at + 2 + jpeg.readUInt16BE(at + 2))
    if (marker === 0xdb) quantizer = body.readUInt8(1)
    if (marker === 0xc0) [height, width] = [body.readUInt16BE(1), body.readUInt16BE(3)]
    if (marker === 0xc4) tables.set(body.readUInt8(0), huffman(body.subarray(1, 17), body.subarray(17)))
    at += 2 + jpeg.readUInt16BE(at + 2)
  }

  let bit = 0
  const readBit = (): number => {
    const value = (jpeg.readUInt8(at) >> (7 - bit)) & 1
    bit = (bit + 1) % 8
    if (bit === 0) at += jpeg.readUInt8(at) === 0xff ? 2 : 1
    return value
  }
  const readBits = (length: number): number => {
    let value = 0
    for (let i = 0; i < length; i++) value = value * 2 + readBit()
    return value
  }
  const readSymbol = (table: number): number => {
    let code = 0
    for (let length = 1; length <= 16; length++) {
      code = code * 2 + readBit()
      const symbol = tables.get(table)?.get(`${length}:${code}`)
      if (symbol !== undefined) return symbol
    }
    throw new Error('not a code of this table')
  }

  const pixels = new Uint32Array(width * height)
  let level = 0
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      const category = readSymbol(0x00)
      const value = readBits(category)
      level += value < 2 ** (category - 1) ? value - 2 ** category + 1 : value
      if (readSymbol(0x10) !== 0) throw new Error('a block is not even')
      const grey = Math.min(Math.max(Math.round((level * quantizer) / 8 + 128), 0), 255)
      for (let y = top; y < Math.min(top + 8, height); y++)
        pixels.fill(OPAQUE + grey * GREY, y * width + left, y * width + Math.min(left + 8, width))
    }
  }
  if (bit > 0) at++
  if (jpeg.readUInt16BE(at) !== 0xffd9) throw new Error('the data does not end where the picture does')
  return { data: new Uint8ClampedArray(pixels.buffer), width, height }
}
