import type { Wx, WxMethod } from './wx.ts'

type FetchInit = NonNullable<Parameters<typeof fetch>[1]>

/**
 * The parts of `fetch` that this SDK needs, on top of `wx.request`. Of the request: method, headers, a body
 * of text, form fields or bytes, and a signal. Of the response: status, headers, `json()` and `text()`. It
 * rejects with a TypeError that has WeChat's `errMsg`, or with the reason of the signal. WeChat runs ten
 * requests at once and queues the others; it has no cookies. Event streams are not used, because
 * `wx.request` returns nothing before the end. The SDK sees a network without streams and uses the long
 * poll.
 *
 * @example
 * ```ts
 * import { createWxFetch } from '@saoma/client/wx'
 *
 * const wxFetch = createWxFetch(wx)
 * wxFetch('https://login.example.com/oidc/jwks').then(({ status }) => console.log(status)) // -> 200
 * ```
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
      // Before the request, because WeChat may call `fail` at once.
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
      // A framework's promise reports the same error that `fail` reports.
      if ('then' in task) void Promise.resolve(task).catch(() => {})
    })
  return ask
}

const addressOf = (input: RequestInfo | URL): string => {
  if (typeof input === 'object' && 'url' in input) throw new TypeError('Pass the address, not a Request.')
  return String(input)
}

/** Header names in lower case. */
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
  throw new TypeError('WeChat can only send text or bytes.')
}

/** The available parts of a Response. `body` is missing, so nobody waits for chunks. */
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
