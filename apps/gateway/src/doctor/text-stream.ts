import type { Readable } from 'node:stream'
import { createBrotliDecompress, createUnzip } from 'node:zlib'
import { type Opened, open, type Silence, silence } from './ask.ts'

/** Most characters that are read. An event stream of a ticket has a few hundred. */
const MOST_TEXT = 64 * 1024

/** An answer that is read line by line while it comes. */
export interface TextStream extends Omit<Opened, 'body'> {
  /** How it was packed on the way, such as `gzip`. */
  readonly encoding: string | undefined
  /**
   * Waits for a line that fits, and takes all lines up to it. `ended`: the answer was over before. `late`: it
   * did not come in time. `long`: more came than is read, without it.
   *
   * @param deadline  on the scale of `performance.now()`
   */
  until(fits: (line: string) => boolean, deadline: number): Promise<'there' | 'ended' | 'late' | 'long'>
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

  /** Whole lines that nobody has looked at, and the beginning of the next. */
  const lines: string[] = []
  let rest: string[] = []
  let size = 0
  let isOver = false
  let wake = () => {}
  const end = () => {
    if (!isOver && rest.length > 0) lines.push(rest.join(''))
    isOver = true
    wake()
  }
  unpacked(opened)
    .setEncoding('utf8')
    .on('data', (chunk: string) => {
      if (size > MOST_TEXT) return
      size += chunk.length
      const [first = '', ...more] = chunk.slice(0, MOST_TEXT).split('\n')
      rest.push(first)
      for (const part of more) {
        lines.push(rest.join(''))
        rest = [part]
      }
      if (size > MOST_TEXT) opened.close()
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
    until: async (fits, end) => {
      for (;;) {
        const at = lines.findIndex(fits)
        lines.splice(0, at < 0 ? lines.length : at + 1)
        if (at >= 0) return 'there'
        if (size > MOST_TEXT) return 'long'
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
