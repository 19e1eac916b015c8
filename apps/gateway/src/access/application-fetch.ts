import { lookup as resolve } from 'node:dns'
import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { readBytes } from '@saoma/protocol'
import type { MayCall } from './application-networks.ts'

/** An address that may not be called. The code is a word for logs. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly code = 'ADDRESS_REFUSED'
}

export interface ApplicationFetchOptions {
  mayCall: MayCall
  /** Milliseconds until the whole answer must be there. @default 5000 */
  timeoutMs?: number
  /** Most bytes of an answer. @default 65536 */
  mostBytes?: number
  /** Finds the addresses of a name. @default that of the operating system */
  lookup?: (name: string, options: { all: true; family?: number }, done: LookupDone) => void
}

type LookupDone = (error: NodeJS.ErrnoException | null, found: { address: string; family: number }[]) => void

const TIMEOUT_MS = 5_000
const MOST_BYTES = 64 * 1024
/** Answers that have no body. */
const BODILESS = [204, 205, 304]

/**
 * Calls what an application has registered. It is like `fetch`, and
 *
 * - calls addresses that `mayCall` lets it. A name is looked up once, and one of these addresses is called.
 *   So a name that changes its address in between leads nowhere else.
 * - follows no redirect
 * - takes an answer of a bounded size, in a bounded time, and by no proxy
 *
 * Rejects with `AddressRefused`, with a RangeError for an answer that is too long, or with why there is none.
 */
export const createApplicationFetch = ({
  mayCall,
  timeoutMs = TIMEOUT_MS,
  mostBytes = MOST_BYTES,
  lookup = resolve as never,
}: ApplicationFetchOptions): typeof fetch => {
  /** Finds the addresses of a name that may be called. */
  const find: LookupFunction = (name, { family, all }, done) =>
    lookup(name, { all: true, ...(typeof family === 'number' ? { family } : {}) }, (error, found) => {
      const allowed = error ? [] : found.filter(({ address }) => mayCall(address))
      const [first] = allowed
      if (error || !first)
        return done(error ?? new AddressRefused('the name leads to no address that may be called'), '', 0)
      return all ? done(null, allowed) : done(null, first.address, first.family)
    })

  const send = (request: Request, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> =>
    new Promise((done, fail) => {
      const url = new URL(request.url)
      const over = url.protocol === 'https:' ? overHttps : overHttp
      // A connection of its own: a kept one would lead where a name led before.
      const options = { method: request.method, headers: Object.fromEntries(request.headers), agent: false } as const
      const sent = over(url, { ...options, lookup: find, signal })
      sent.once('response', done)
      sent.once('error', fail)
      sent.end(body)
    })

  return async (input, { dispatcher: _, ...init }: RequestInit & { dispatcher?: unknown } = {}) => {
    const request = new Request(input, init as RequestInit)
    const { protocol, hostname } = new URL(request.url)
    const host = hostname.replace(/^\[|\]$/g, '')
    if (!/^https?:$/.test(protocol)) throw new AddressRefused('it is no address of the web')
    if (isIP(host) !== 0 && !mayCall(host)) throw new AddressRefused('this address may not be called')
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)])
    const body = Buffer.from(await request.arrayBuffer())
    try {
      const answer = await send(request, body, signal)
      const { statusCode: status = 0, headersDistinct } = answer
      const bytes = await readBytes(answer, mostBytes)
      const headers = Object.entries(headersDistinct).flatMap(([name, all = []]) =>
        all.map((value): [string, string] => [name, value]),
      )
      return new Response(BODILESS.includes(status) ? null : Buffer.from(bytes), { status, headers })
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    }
  }
}
