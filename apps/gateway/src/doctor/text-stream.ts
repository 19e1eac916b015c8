import type { Readable } from 'node:stream'
import { createBrotliDecompress, createUnzip } from 'node:zlib'
import { type Opened, open, type Silence, silence } from './ask.ts'

/** An answer that is read while it comes. */
export interface TextStream extends Omit<Opened, 'body'> {
  /** All text so far. */
  readonly text: string
  /** How it was packed on the way, such as `gzip`. */
  readonly encoding: string | undefined
  /**
   * Waits until the text fits. `ended`: the answer was over before. `late`: it did not come in time.
   *
   * @param deadline  on the scale of `performance.now()`
   */
  until(fits: (text: string) => boolean, deadline: number): Promise<'there' | 'ended' | 'late'>
}

const unpacked = ({ body, headers }: Opened): Readable => {
  const encoding = headers['content-encoding']
  if (encoding === 'br') return body.pipe(createBrotliDecompress())
  return encoding === 'gzip' || encoding === 'deflate' ? body.pipe(createUnzip()) : body
}

/**
 * Opens an answer that comes in pieces. Never rejects.
 *
 * @param deadline  for the head of the answer, on the scale of `performance.now()`
 */
export const openText = async (
  url: string,
  { signal, headers, deadline }: { signal: AbortSignal; headers: Record<string, string>; deadline: number },
): Promise<TextStream | Silence> => {
  const cut = new AbortController()
  const timer = setTimeout(() => cut.abort(), Math.max(0, deadline - performance.now()))
  const whole = AbortSignal.any([signal, cut.signal])
  const opened = await open(url, { signal: whole, headers })
  clearTimeout(timer)
  if (!opened.ok) return whole.aborted ? silence(undefined, true) : opened

  let text = ''
  let isOver = false
  let wake = () => {}
  const end = () => {
    isOver = true
    wake()
  }
  unpacked(opened)
    .setEncoding('utf8')
    .on('data', (chunk: string) => {
      text += chunk
      wake()
    })
    .on('end', end)
    .on('error', end)
  opened.body.on('close', () => {
    // A connection that breaks does not end what unpacks it.
    if (!opened.body.complete) end()
  })
  signal.addEventListener('abort', () => wake(), { once: true })
  const { body: _, ...head } = opened
  return {
    ...head,
    encoding: opened.headers['content-encoding'],
    get text() {
      return text
    },
    until: async (fits, end) => {
      for (;;) {
        if (fits(text)) return 'there'
        if (isOver) return 'ended'
        const leftMs = end - performance.now()
        if (leftMs <= 0 || signal.aborted) return 'late'
        await new Promise<void>((resolve) => {
          const late = setTimeout(resolve, leftMs)
          wake = () => {
            clearTimeout(late)
            resolve()
          }
        })
      }
    },
  }
}
