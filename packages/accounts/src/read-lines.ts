/** A line, or what is wrong with it. */
export type Line = { text: string } | { wrong: string }

const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * Splits the bytes of a file into lines, as they arrive. A line ends at a line feed, and may have a carriage
 * return before it. However long a line is, only `longest` bytes of it are kept.
 *
 * Node's own readline also ends lines at U+2028, which JSON may contain, and hides what is not UTF-8.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  longest: number,
): AsyncGenerator<Line> {
  // It drops a byte order mark at the beginning.
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  let parts: Uint8Array[] = []
  let length = 0

  const add = (part: Uint8Array): void => {
    length += part.length
    if (length <= longest) parts.push(part)
    else parts = []
  }
  const take = (): Line => {
    const [first] = parts
    const bytes = first && parts.length === 1 ? first : Buffer.concat(parts)
    const isTooLong = length > longest
    parts = []
    length = 0
    if (isTooLong) return { wrong: `it has more than ${longest} bytes` }
    try {
      return { text: utf8.decode(bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes) }
    } catch {
      return { wrong: 'it is not UTF-8' }
    }
  }

  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, end))
      yield take()
      from = end + 1
    }
    if (from < chunk.length) add(chunk.subarray(from))
  }
  if (length > 0) yield take()
}
