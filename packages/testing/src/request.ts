/** An HTTP response with any status. */
export interface Answer<T = unknown> {
  status: number
  headers: Headers
  /**
   * Parsed JSON, or the text when the body is not JSON. `T` is the caller's expectation and is not verified.
   */
  body: T
}

export interface RequestOptions {
  method?: string
  headers?: Record<string, string>
  /** Sent as `application/x-www-form-urlencoded`. */
  form?: Record<string, string>
  /** Sent as `application/json`. */
  json?: unknown
  /** Sent as `Authorization: Bearer`. */
  bearer?: string
  /** @default 35000, longer than a long poll is held */
  timeoutMs?: number
  signal?: AbortSignal
}

const TIMEOUT_MS = 35_000

/** Sends one HTTP request. Resolves with any status; rejects when there is no response in time. */
export const request = async <T = unknown>(url: string, options: RequestOptions = {}): Promise<Answer<T>> => {
  const { form, json, bearer, timeoutMs = TIMEOUT_MS, signal } = options
  const { method = form || json !== undefined ? 'POST' : 'GET', headers = {} } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  const response = await fetch(url, {
    method,
    headers: {
      ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(form ? { body: new URLSearchParams(form) } : {}),
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    redirect: 'manual',
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  })
  const text = await response.text()
  const isJson = /^application\/([a-z.-]+\+)?json\b/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text }
}
