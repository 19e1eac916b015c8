import { type Callbacks, failWith, succeed } from './calls.ts'
import type { JavaScript } from './javascript.ts'

export interface WxRequest
  extends Callbacks<{ data: string | object | ArrayBuffer; statusCode: number; header: object; cookies: string[] }> {
  url: string
  method?: string
  header?: object
  /** For a GET an object becomes the query, otherwise JSON. */
  data?: string | object | ArrayBuffer
  /** Milliseconds. @default 60000 */
  timeout?: number
  /** `json`: the answer is parsed if it is JSON. @default 'json' */
  dataType?: string
  /** @default 'text' */
  responseType?: 'text' | 'arraybuffer'
}

/** Headers that WeChat adds to every request and handshake. */
export type WxHeaders = Readonly<Record<string, string>>

export interface WxRequestTask {
  abort(): void
}

export interface Requests {
  request(options: WxRequest): WxRequestTask
  /** Fails all running requests. */
  fail(why: string): void
}

/** WeChat's own limit; further requests wait. */
const AT_ONCE = 10
const TIMEOUT_MS = 60_000
const METHODS = ['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT']

/**
 * `wx.request` over Node's fetch: no cookies, WeChat's own headers that a program cannot set, ten requests at
 * once.
 */
export const createRequests = (javascript: JavaScript, own: WxHeaders, isOnline: () => boolean): Requests => {
  const running = new Set<(why: string) => void>()
  const queue: (() => void)[] = []

  const start = (options: WxRequest, controller: AbortController) => {
    let why = ''
    let timer: ReturnType<typeof setTimeout> | undefined
    const stop = (reason: string) => {
      why ||= reason
      controller.abort()
    }
    controller.signal.addEventListener('abort', () => {
      why ||= 'abort'
    })
    running.add(stop)
    timer = setTimeout(() => stop('timeout'), options.timeout ?? TIMEOUT_MS)
    if (!isOnline()) stop('network is down')
    send(options, own, controller.signal)
      .then(
        (result) => javascript.run(() => succeed('request', options, result)),
        (error: unknown) => javascript.run(() => failWith('request', options, why || String(error))),
      )
      .finally(() => {
        clearTimeout(timer)
        running.delete(stop)
        queue.shift()?.()
      })
  }

  return {
    request: (options) => {
      const controller = new AbortController()
      const begin = () => {
        if (running.size < AT_ONCE) start(options, controller)
        else queue.push(begin)
      }
      if (METHODS.includes(options.method ?? 'GET')) javascript.run(begin)
      else failWith('request', options, 'invalid method')
      return { abort: () => controller.abort() }
    },
    fail: (why) => {
      for (const stop of [...running]) stop(why)
    },
  }
}

const send = async (options: WxRequest, own: WxHeaders, signal: AbortSignal) => {
  const { method = 'GET', data, dataType = 'json', responseType = 'text' } = options
  const url = new URL(options.url)
  const headers = new Headers({ 'content-type': 'application/json' })
  for (const [name, value] of Object.entries(options.header ?? {})) headers.set(name, String(value))
  for (const [name, value] of Object.entries(own)) headers.set(name, value)
  const isQuery = method === 'GET' || method === 'HEAD'
  const fields = typeof data === 'object' && !(data instanceof ArrayBuffer) ? data : undefined
  if (isQuery) for (const [name, value] of Object.entries(fields ?? {})) url.searchParams.set(name, String(value))
  const body = isQuery || data === undefined ? undefined : fields ? JSON.stringify(fields) : (data as BodyInit)
  const answer = await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) })
  const bytes = await answer.arrayBuffer()
  const text = new TextDecoder().decode(bytes)
  const names = [...answer.headers.keys()].filter((name) => name !== 'set-cookie')
  return {
    data: responseType === 'arraybuffer' ? bytes : dataType === 'json' ? parsed(text) : text,
    statusCode: answer.status,
    // Capitalised, as servers usually write them; fetch lower-cases them.
    header: Object.fromEntries(names.map((name) => [capitals(name), answer.headers.get(name) ?? ''])),
    cookies: answer.headers.getSetCookie(),
  }
}

const capitals = (name: string): string => name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())

const parsed = (text: string): string | object => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
