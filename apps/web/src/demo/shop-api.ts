import { backoffMs, boundBy, type Session } from '@saoma/client'

/** The shop's answer. `status` 0: the last attempt got no answer. */
export interface ShopAnswer {
  status: number
  body: unknown
}

/** The shop's own HTTP API, with the token of the logged-in person. */
export interface ShopApi {
  get(path: string): Promise<ShopAnswer>
  /**
   * Repeated when no answer arrives or the shop fails, so the body needs an id that identifies the request.
   */
  post(path: string, body: object): Promise<ShopAnswer>
}

const TIMEOUT_MS = 8_000
const TRIES = 4
const BACKOFF = { baseMs: 400, capMs: 4_000 }

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** An id for one request. `crypto.randomUUID` exists only on https and localhost. */
export const drawId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')

export const createShopApi = (session: Session): ShopApi => {
  const once = async (method: string, path: string, body?: object): Promise<ShopAnswer> => {
    const token = await session.accessToken()
    if (!token.ok) return { status: token.react === 'retry' ? 0 : 401, body: undefined }
    const { signal, release } = boundBy([], TIMEOUT_MS)
    try {
      const response = await fetch(`/shop/${path}`, {
        method,
        headers: { authorization: `Bearer ${token.value}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
        cache: 'no-store',
        signal,
      })
      return { status: response.status, body: await response.json().catch(() => undefined) }
    } catch {
      return { status: 0, body: undefined }
    } finally {
      release()
    }
  }

  const ask = async (method: string, path: string, body?: object): Promise<ShopAnswer> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await once(method, path, body)
      const passing = answer.status === 0 || answer.status >= 500
      if (!passing || attempt === TRIES) return answer
      await wait(backoffMs(attempt, BACKOFF, Math.random))
    }
  }

  return { get: (path) => ask('GET', path), post: (path, body) => ask('POST', path, body) }
}
