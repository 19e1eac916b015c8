import { boundBy } from './bound.ts'
import { proven } from './proof.ts'
import { type Failure, failureOf, unanswered } from './request.ts'

/**
 * Parses `text/event-stream` (WHATWG HTML, section 9.2) chunk by chunk. It ignores ids: our own positions say
 * where to continue.
 */
export const createEventReader = (onEvent: (event: string, data: string) => void): { push(text: string): void } => {
  let rest = ''
  let event = ''
  let data: string[] = []

  const take = (line: string) => {
    if (line === '') {
      if (data.length > 0) onEvent(event || 'message', data.join('\n'))
      event = ''
      data = []
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') event = value
    if (field === 'data') data.push(value)
  }

  return {
    push: (text) => {
      rest += text
      for (;;) {
        const end = /\r\n|\n|\r/.exec(rest)
        // A CR at the very end may be the first half of CR LF.
        if (!end || (end[0] === '\r' && end.index === rest.length - 1)) return
        const line = rest.slice(0, end.index)
        rest = rest.slice(end.index + end[0].length)
        take(line)
      }
    },
  }
}

export interface FollowStreamOptions {
  fetch: typeof fetch
  url: string
  headers: Record<string, string>
  /** `data` is parsed JSON. */
  onEvent: (event: string, data: unknown) => void
  signal: AbortSignal
}

/**
 * The server sends its first event at once. If none arrives in this time, a proxy buffers the response until
 * its end.
 */
const FIRST_WORD_MS = 5_000
/** The server sends a comment every 15 s. */
const SILENCE_MS = 40_000

/**
 * Follows an event stream until its end; never rejects. A browser's EventSource cannot send an Authorization
 * header. Resolves with the reason of the end. `NO_STREAM`: this network lets no streams through, although
 * requests may pass.
 */
export const followStream = async (options: FollowStreamOptions): Promise<Failure> => {
  const { fetch } = options // Called as a method of `options`, the browser's `fetch` would throw.
  const silent = new AbortController()
  const { signal, release } = boundBy([options.signal, silent.signal])
  let heard = false
  let patience = setTimeout(() => silent.abort(), FIRST_WORD_MS)
  const noStream = (message: string): Failure => ({ ok: false, code: 'NO_STREAM', react: 'retry', message })
  const reader = createEventReader((event, text) => {
    heard = true
    if (!options.signal.aborted) options.onEvent(event, parseJson(text))
  })
  let answered = false
  try {
    const init = { headers: { ...options.headers, accept: 'text/event-stream' } }
    const response = await fetch(options.url, {
      cache: 'no-store',
      ...((await proven(options.url, init)) ?? init),
      signal,
    })
    if (!response.ok) return failureOf(response, await response.json().catch(() => undefined))
    answered = true
    if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      void response.body?.cancel()
      return noStream('This is no event stream.')
    }
    const decoder = new TextDecoder()
    const body = response.body.getReader()
    for (let piece = await body.read(); !piece.done; piece = await body.read()) {
      reader.push(decoder.decode(piece.value, { stream: true }))
      clearTimeout(patience)
      patience = setTimeout(() => silent.abort(), heard ? SILENCE_MS : FIRST_WORD_MS)
    }
    return heard ? unanswered('The stream has ended.') : noStream('The stream ended before it began.')
  } catch (error) {
    return !heard && (answered || silent.signal.aborted) ? noStream('The stream is kept back.') : unanswered(error)
  } finally {
    clearTimeout(patience)
    release()
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // Every parser rejects it.
  }
}
