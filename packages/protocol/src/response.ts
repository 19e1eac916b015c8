/**
 * Reads a body to its end. Rejects with a RangeError as soon as it has more bytes than `most`, and with the
 * error of the body if that ends early.
 *
 * @example
 * ```ts
 * import { readBytes } from '@saoma/protocol'
 *
 * const response = new Response('hello')
 * const bytes = await readBytes(response.body ?? [], 1_024)
 * console.log(new TextDecoder().decode(bytes)) // -> hello
 * ```
 */
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
 *
 * @example
 * ```ts
 * import { reasonOf } from '@saoma/protocol'
 *
 * const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
 * console.log(reasonOf(new TypeError('fetch failed', { cause: refused }))) // -> ECONNREFUSED
 * console.log(reasonOf(new RangeError('more than 17 bytes'))) // -> RangeError
 * ```
 */
export const reasonOf = (error: unknown): string => {
  const { cause = error } = Object(error) as { cause?: unknown }
  const { code, name } = Object(cause) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'Error'
}
