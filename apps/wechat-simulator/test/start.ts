import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { createSimulator, type Simulator } from '../src/simulator.ts'
import type { SimulatorOptions } from '../src/state.ts'

export const appid = 'wx0000000000000001'
export const secret = '0123456789abcdef0123456789abcdef'

export interface Started extends Simulator {
  origin: string
  call(path: string, init?: { method?: string; query?: Record<string, string>; body?: unknown }): Promise<Response>
  /** The same, read as JSON. */
  json(...args: Parameters<Started['call']>): Promise<Record<string, unknown>>
  stableToken(force?: boolean): Promise<{ access_token: string; expires_in: number }>
  /** Refusal of a token by an endpoint that needs one; 0 when it is taken. */
  refusalOf(token: string): Promise<number>
}

/**
 * A simulator in this process, listening on a free port, closed at the end. Its clock stands still unless it
 * is advanced.
 */
export const start = async (options: Partial<SimulatorOptions> = {}): Promise<Started> => {
  const startedAt = Date.parse('2026-03-02T04:05:30Z')
  const simulator = createSimulator({ appid, secret, now: () => startedAt, ...options })
  // Drawing and reading pictures keeps this process busy: a connection must not end of idleness just when it
  // is used again.
  const server = createServer({ keepAliveTimeout: 60_000 }, simulator.handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    simulator.close()
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const call: Started['call'] = (path, { method, query, body } = {}) =>
    fetch(`${origin}${path}?${new URLSearchParams(query)}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    })
  const json: Started['json'] = async (...args) => JSON.parse(await (await call(...args)).text())

  return {
    ...simulator,
    origin,
    call,
    json,
    stableToken: async (force_refresh = false) => {
      const body = { grant_type: 'client_credential', appid, secret, force_refresh }
      return (await json('/cgi-bin/stable_token', { body })) as Awaited<ReturnType<Started['stableToken']>>
    },
    refusalOf: async (access_token) => {
      const answer = await call('/wxa/getwxacodeunlimit', { query: { access_token }, body: { scene: 'a' } })
      const text = await answer.text()
      return text.startsWith('{') ? JSON.parse(text).errcode : 0
    },
  }
}
