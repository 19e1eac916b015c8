import { type IncomingHttpHeaders, type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'

/** How long one answer may take, unless a probe waits for something on purpose. */
export const ANSWER_MS = 5_000
/** Most bytes of an answer that are read. */
const MOST_BYTES = 1024 * 1024

export interface Question {
  /** Ends the wait, beside `timeoutMs`. */
  signal: AbortSignal
  /** @default ANSWER_MS */
  timeoutMs?: number
  /** @default 'GET', or 'POST' with a body */
  method?: string
  headers?: Readonly<Record<string, string>>
  body?: string
  /** The address of this machine from which to ask. */
  localAddress?: string
}

/** An answer whose body has not been read. */
export interface Opened {
  ok: true
  status: number
  headers: IncomingHttpHeaders
  body: IncomingMessage
  /** Both ends of the connection. */
  own: string
  peer: string
  /** Cuts the connection. */
  close(): void
}

export interface Reply extends Omit<Opened, 'body' | 'close'> {
  body: string
  /** Milliseconds from the question to the end of the answer. */
  ms: number
}

/** No answer: `code` is Node's error code, or TIMEOUT. */
export interface Silence {
  ok: false
  code: string
  why: string
}

const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '')

/** Turns an error of a connection into words. */
export const silence = (error: unknown, isOver: boolean): Silence => {
  if (isOver) return { ok: false, code: 'TIMEOUT', why: 'no answer came in time' }
  const { code = '', message } = error as NodeJS.ErrnoException
  const words: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ECONNRESET: 'the connection was cut',
    EPIPE: 'the connection was cut',
    ETIMEDOUT: 'no answer came in time',
    EHOSTUNREACH: 'no way leads there',
    ENETUNREACH: 'no way leads there',
  }
  return { ok: false, code, why: words[code] ?? (message || code) }
}

/**
 * Asks on a connection of its own and resolves with the head of the answer. Follows no redirect. Never
 * rejects.
 *
 * @param signal  also cuts the body
 */
export const open = (
  url: string,
  { signal, method, headers = {}, body, localAddress }: Omit<Question, 'timeoutMs'>,
): Promise<Opened | Silence> =>
  new Promise((resolve) => {
    const request = url.startsWith('https:') ? overHttps : overHttp
    const asked = request(url, {
      // A connection of its own: a balancer may send it to any node.
      agent: false,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { 'User-Agent': 'saoma-doctor', ...headers },
      signal,
      ...(localAddress ? { localAddress } : {}),
    })
    asked.on('error', (error) => resolve(silence(error, signal.aborted)))
    asked.on('response', (answer: IncomingMessage) => {
      // An error of the body is for whoever reads it.
      answer.on('error', () => {})
      const { socket } = answer
      resolve({
        ok: true,
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        body: answer,
        own: plain(socket.localAddress),
        peer: plain(socket.remoteAddress),
        close: () => asked.destroy(),
      })
    })
    // A server that upgrades without being asked.
    asked.on('upgrade', (_, socket) => {
      socket.destroy()
      resolve({ ok: false, code: 'UPGRADE', why: 'it answered with another protocol' })
    })
    asked.end(body)
  })

/** Asks, and reads the whole answer. Never rejects. */
export const ask = async (url: string, question: Question): Promise<Reply | Silence> => {
  const { timeoutMs = ANSWER_MS, ...rest } = question
  const started = performance.now()
  const signal = AbortSignal.any([question.signal, AbortSignal.timeout(timeoutMs)])
  const opened = await open(url, { ...rest, signal })
  if (!opened.ok) return opened
  const { body, close, ...head } = opened
  let text = ''
  try {
    for await (const chunk of body.setEncoding('utf8')) {
      text += chunk
      if (text.length > MOST_BYTES) break
    }
  } catch (error) {
    return silence(error, signal.aborted)
  } finally {
    close()
  }
  return { ...head, body: text, ms: performance.now() - started }
}

/** The JSON object of an answer; undefined if it is none. */
export const jsonOf = ({ body }: Pick<Reply, 'body'>): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Whether a node of Saoma wrote this answer. */
export const isOfNode = (headers: IncomingHttpHeaders): boolean => headers['x-saoma-node'] !== undefined
