import type { Wx, WxMethod } from './wx.ts'

type FetchInit = NonNullable<Parameters<typeof fetch>[1]>

/**
 * What this SDK needs of `fetch`, over `wx.request`: method, headers, a body of text, form fields or bytes, a
 * signal; of the answer the status, the headers, `json()` and `text()`. WeChat asks for ten at once and keeps
 * the others waiting; it keeps no cookies. An event stream is never asked for, because `wx.request` gives
 * nothing before the end: it looks like a proxy that lets no streams through, and the long poll does the
 * work.
 */
export const createWxFetch = (wx: Pick<Wx, 'request'>): typeof fetch => {
  const ask = (input: RequestInfo | URL, init: FetchInit = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { signal } = init
      const header = headerOf(init.headers)
      const url = addressOf(input)
      const data = bodyOf(init.body, header)
      if (signal?.aborted) throw signal.reason
      if (header.accept?.includes('text/event-stream')) return resolve(answer(url, 200, {}, ''))
      const settle = (act: () => void) => {
        signal?.removeEventListener('abort', abort)
        act()
      }
      const abort = () =>
        settle(() => {
          reject(signal?.reason)
          task.abort()
        })
      // Before the request: WeChat answers at once what it does not like.
      signal?.addEventListener('abort', abort)
      const task = wx.request({
        url,
        method: (init.method ?? 'GET').toUpperCase() as WxMethod,
        header,
        ...(data === undefined ? {} : { data }),
        dataType: 'text',
        responseType: 'text',
        success: (result) => settle(() => resolve(answer(url, result.statusCode, result.header ?? {}, result.data))),
        fail: ({ errMsg }) => settle(() => reject(new TypeError(errMsg))),
      })
      // What a framework's promise says has been said to `fail`.
      if ('then' in task) void Promise.resolve(task).catch(() => {})
    })
  return ask
}

const addressOf = (input: RequestInfo | URL): string => {
  if (typeof input === 'object' && 'url' in input) throw new TypeError('Give the address, not a Request.')
  return String(input)
}

/** Names in small letters. */
const headerOf = (headers: FetchInit['headers']): Record<string, string> => {
  const header: Record<string, string> = {}
  const set = (value: string, name: string) => {
    header[name.toLowerCase()] = value
  }
  if (Array.isArray(headers)) for (const [name = '', value = ''] of headers) set(value, name)
  else if (headers && 'forEach' in headers && typeof headers.forEach === 'function') headers.forEach(set)
  else for (const [name, value] of Object.entries(headers ?? {})) set(String(value), name)
  return header
}

const bodyOf = (body: FetchInit['body'], header: Record<string, string>): string | ArrayBuffer | undefined => {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string') return body
  if (body instanceof ArrayBuffer) return body
  if (ArrayBuffer.isView(body))
    return body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength) as ArrayBuffer
  if (body instanceof URLSearchParams) {
    header['content-type'] ??= 'application/x-www-form-urlencoded;charset=UTF-8'
    return body.toString()
  }
  throw new TypeError('WeChat sends text or bytes.')
}

/** The part of a Response that can be had; `body` is none, so nobody waits for pieces. */
const answer = (url: string, status: number, header: object, data: unknown): Response => {
  const fields = new Map(Object.entries(header).map(([name, value]) => [name.toLowerCase(), String(value)]))
  const text = typeof data === 'string' ? data : JSON.stringify(data ?? '')
  const response = {
    url,
    status,
    ok: status >= 200 && status < 300,
    headers: {
      get: (name: string) => fields.get(name.toLowerCase()) ?? null,
      has: (name: string) => fields.has(name.toLowerCase()),
      forEach: (call: (value: string, name: string) => void) => fields.forEach(call),
    },
    body: null,
    text: async () => text,
    json: async (): Promise<unknown> => JSON.parse(text),
  }
  return response as unknown as Response
}
