/** Reads a body to its end. Rejects with a RangeError when it has more bytes than `most`. */
export const readBytes = async (
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  most: number,
): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > most) throw new RangeError(`more than ${most} bytes`)
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/**
 * Why a `fetch` failed, in one word: a code or an error's name. The message is not used, because it may quote
 * the address or the data, which may be secret. For `fetch failed` the cause is used.
 */
export const reasonOf = (error: unknown): string => {
  const { cause = error } = Object(error) as { cause?: unknown }
  const { code, name } = Object(cause) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'Error'
}
